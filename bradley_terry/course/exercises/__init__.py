"""The checks of the exercises, one module for each subject. Students call them through ``bradley_terry.course.check``.

    probabilities     lesson 1    probability, margin
    losses            lesson 2    loss, mean_loss
    shifts            lesson 3    shift_invariance_test, centring
    confidence        lesson 4    accuracy, best_temperature
    expectations      lesson 5    expected_loss, ceiling
    gradients         lesson 6    gradient, training_step
    differences       lesson 7    central_difference
    networks          lesson 8    reward
    numerics          lesson 9    overflow_limit, kernel
    diagnosis         lesson 10   causes, leaks

Each check gives the student's function some arguments and compares its answers with the right ones. It has a list of
common mistakes, each with a sentence and the numbers that the mistake would give. If the student's numbers match one of
them, the report quotes the sentence. The lesson lists the same sentences under "Common mistakes".
"""
