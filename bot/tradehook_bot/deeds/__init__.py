"""What can stand behind a question: kinds of deeds. How one is asked, carried out and told of, kind by kind.

A new kind is a module here and a line in `table.py`. Money goes through the desk, with the question's id as intent id.
"""
