"""What only the lessons need, from the question to the projector.

    predictions   the questions asked before a lesson shows; a reply to each option
    check         checks for exercises: reports in words, instead of tracebacks
    engine        how any exercise is judged, and what a mistake looks like
    museum        sixteen published mistakes: how they hide, what catches them
    plots         plots that only the lessons need
    sliders       the same pictures, moved by hand: picture and sentence change together
    figures       one committed figure a lesson
    notebooks     lessons as files: working copies, executed originals, checks
    projector     one page for the classroom: four scenes, no network

Each lesson is a notebook; ``notebooks/README.md`` leads from the pages of the course to lessons and sections.
"""
