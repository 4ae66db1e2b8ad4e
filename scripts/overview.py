"""Draw the README's picture from a run folder.

python scripts/overview.py runs/six6 docs/overview.png
"""

from __future__ import annotations

import sys
from pathlib import Path

from seiko.campaign import Campaign
from seiko.report import overview_png
from seiko.report.run import report_data

if __name__ == "__main__":
    with Campaign.open(sys.argv[1]) as campaign:
        overview_png(report_data(campaign), Path(sys.argv[2]))
