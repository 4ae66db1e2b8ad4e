"""A run in the browser: for its owner where it stands and what to do, for people who label a queue of designs.

Read it downwards: `access`, `sessions`, `limits` and `headers` (who may do what), `desk` (the run behind a lock) and
`jobs` (long work in a process of its own), `queue`, `pictures`, `curves`, `uploads` and `browser` (what the pages
show), `routes` (the pages), `api` (the same for programs), `app` (all of it together).
"""

from __future__ import annotations

try:
    import fastapi  # noqa: F401
    import itsdangerous  # noqa: F401
    import python_multipart  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    raise ImportError(f"the web app needs {error.name}: pip install 'seiko[web]'") from error

from seiko.web.access import Access, Link, Person
from seiko.web.app import create_app
from seiko.web.options import Options, Scale

__all__ = ["Access", "Link", "Options", "Person", "Scale", "create_app"]
