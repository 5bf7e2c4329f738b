"""The checks of the exercises, one module for each subject. Students call them through ``bradley_terry.course.check``.

    probabilities     lesson 1    probability, depends_on_differences, margin
    losses            lesson 2    loss, slope, mean_loss
    shifts            lesson 3    shift_invariance_test, centring
    confidence        lesson 4    accuracy, best_temperature, minimiser
    expectations      lesson 5    expected_loss, interval_by_prompts, ceiling
    gradients         lesson 6    gradient, equilibrium, training_step
    differences       lesson 7    central_difference, name_the_bug
    networks          lesson 8    middle_is_best, reward
    numerics          lesson 9    format_limits, overflow_limit, kernel
    diagnosis         lesson 10   causes, leaks
    rankings          lesson 11   margin_gradient, ranking_loss
    optimisation      lesson 12   tilted_policy, choose_beta

    by_hand           all         whether a right answer calls this package where the text asks for NumPy
    true_or_false     all         exercises whose answer is a test, which says True or False of other functions

Each check gives the student's function some arguments and compares its answers with the right ones. It has a list of
common mistakes, each with a sentence and the numbers that the mistake would give. If the student's numbers match one of
them, the report quotes the sentence.
"""
