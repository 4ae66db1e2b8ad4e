"""Benchmarks of molecules: the prior alone, the paper's task QED, and PMO beside a genetic algorithm and GP BO."""
