"""Recipes: functions that return a complete configuration for one domain, built from the parts of `seiko`.

The library finds them through the entry-point group ``seiko.recipes`` and never imports this package.
"""
