"""Oracles outside of this process: a command, a service, worker processes, any executor.

All of them answer as they go (`StreamingOracle`), so that a loop that dies in the middle has bought nothing twice, and
share what happens to an answer that is missing or makes no sense: see `seiko.oracles.external.answers`.
"""

from __future__ import annotations

from seiko.oracles.external.answers import OracleFailed
from seiko.oracles.external.command import Command
from seiko.oracles.external.executor import OnExecutor
from seiko.oracles.external.named import external_oracle
from seiko.oracles.external.service import Service
from seiko.oracles.external.workers import Workers

__all__ = ["Command", "OnExecutor", "OracleFailed", "Service", "Workers", "external_oracle"]
