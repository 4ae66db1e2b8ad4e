"""One worker process of `Workers`: a design a line in, an answer a line out, both JSON.

It is started as ``python -m seiko.oracles.external.worker module:function``. What the function prints goes to standard
error, so that it cannot garble an answer.
"""

from __future__ import annotations

import base64
import json
import os
import sys

from seiko.designs import IMAGE, Design
from seiko.oracles.function import PythonFunction
from seiko.oracles.images.function import ImageFunction

__all__ = ["main"]


def main(target: str) -> None:
    """Answer until there are no more lines."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        oracle, images = PythonFunction(target=target), ImageFunction(target=target)
        try:
            oracle.load()
        except Exception as error:  # the user's module may raise anything while it is imported
            print(json.dumps({"cannot": f"{type(error).__name__}: {error}"}), file=out, flush=True)
            return
        print(json.dumps({"ready": True}), file=out, flush=True)
        for line in sys.stdin:
            row = json.loads(line)
            data = base64.b64decode(row["png"]) if "png" in row else None
            design = Design(row["design"], row["kind"], row.get("prompt"), data)
            [label] = (images if design.kind == IMAGE else oracle)([design])
            answer = {"id": row["id"], "status": label.status, "value": label.value, "reason": label.reason}
            print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
