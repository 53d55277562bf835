"""Writes what Jinja2 with the settings of transformers makes of snippets and of chat templates.

The answers are the reference of packages/jinja: the rendered text, or the name of the exception that is raised.
"""
