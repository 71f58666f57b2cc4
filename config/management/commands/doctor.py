"""Look the installation over: `doctor`, or `doctor --json` for a program. Ends with 1 if something does not work."""

import dataclasses
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config import doctor


class Command(BaseCommand):
    help = "Say what is wrong with this installation, and what to do about it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON object, for a program to read.")

    def handle(self, *, json: bool, **options: Any) -> None:
        findings = []
        for finding in doctor.examine():
            findings.append(finding)
            if not json:
                self.stdout.write(f"{finding.state:<5}{finding.name:<12}{finding.detail} {finding.remedy}".rstrip())
                self.stdout.flush()
        failed = any(finding.state == "fail" for finding in findings)
        if json:
            self.stdout.write(_as_json(findings, failed=failed))
        sys.exit(1 if failed else 0)


def _as_json(findings: list[doctor.Finding], *, failed: bool) -> str:
    checks = [dataclasses.asdict(finding) for finding in findings]
    return json.dumps({"ok": not failed, "checks": checks}, indent=2, ensure_ascii=False)
