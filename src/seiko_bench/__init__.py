"""Benchmarks: baselines, protocols and statistics that put `seiko` beside other methods at the same number of labels.

The command line finds them through the entry-point group ``seiko.commands``; the library never imports this package.
"""
