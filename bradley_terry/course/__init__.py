"""The parts of the package that only the lessons need.

    predictions   the questions at the start of a lesson, with a reply to each option
    check         checks for the exercises, which report in words what is wrong
    exercises     the same checks, one module for each subject
    engine        the parts that all checks share: the report, and the comparison of numbers
    museum        sixteen published mistakes: how they hide, and what catches them
    plots         pictures that only the lessons need, one module for each group of lessons
    naive_forms   four ways to write the loss, and where each of them fails
    sliders       the same plots with sliders: the picture and a sentence change together
    figures       one figure for each lesson
    notebooks     the lessons as files: working copies, stored outputs, checks
    projector     one page for the classroom, with six scenes; it needs no network

The lessons are the notebooks in ``notebooks/``; its README says which section belongs to which page of the course.
"""
