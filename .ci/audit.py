"""Ask the advisory service of PyPI about what is installed: audit.py PIP-AUDIT SITE-PACKAGES

An advisory is a failure, and so is a package that was skipped, since nobody looked at it. Where the
service answers about none of them it can't be asked here: that is said, and is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys

OURS = "timetric"  # installed from here, and on no index


def main(pip_audit: str, packages: str) -> int:
    command = [pip_audit, "--format", "json", "--progress-spinner", "off", "--path", packages]
    run = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 .ci/run names it
    if not run.stdout.startswith("{"):
        print("SKIPPED: no advisories:", run.stderr.strip().rpartition("\n")[2])
        return 0
    found = [each for each in json.loads(run.stdout)["dependencies"] if each["name"] != OURS]
    skipped = [each for each in found if "skip_reason" in each]
    if len(skipped) == len(found):
        print("SKIPPED: no advisories:", skipped[0]["skip_reason"] if skipped else "nothing there")
        return 0
    known = [(each, hole) for each in found for hole in each.get("vulns", ())]
    for each in skipped:
        print(f"{each['name']}: not looked up: {each['skip_reason']}")
    for each, hole in known:
        print(f"{each['name']} {each['version']}: {hole['id']}, mended in {hole['fix_versions']}")
    print(f"{len(found) - len(skipped)} of {len(found)} packages looked up, {len(known)} holes")
    return 1 if skipped or known else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
