"""Who answers: oracles that turn designs into labels."""

from __future__ import annotations

from seiko.oracles.base import Label, Oracle
from seiko.oracles.ehrlich import Ehrlich, tokens_to_designs
from seiko.oracles.ehrlich_function import EhrlichFunction
from seiko.oracles.tfbind8 import TFBind8

__all__ = ["Ehrlich", "EhrlichFunction", "Label", "Oracle", "TFBind8", "tokens_to_designs"]
