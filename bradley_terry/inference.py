from .evaluation import *
__all__=['covariance','connected_groups','strong_components']
