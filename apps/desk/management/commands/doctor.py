"""Look at the health of this installation."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import msgspec
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.desk import doctor
from apps.desk.doctor import Finding
from config.commands import ExampleCommand


class Command(ExampleCommand):
    help = "Say what is well and what is not, with a remedy. The exit status is 1 when something is not."
    example = "doctor --json"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("check", nargs="*", help=f"which: {', '.join(doctor.CHECKS)} (all)")
        parser.add_argument("--json", action="store_true", help="print a JSON list instead")

    def handle(self, *args: Any, **options: Any) -> None:
        if unknown := sorted(set(options["check"]) - doctor.CHECKS.keys()):
            raise CommandError(f"There is no check {unknown[0]!r}; there are: {', '.join(doctor.CHECKS)}.")
        findings = []
        for finding in doctor.examine(timezone.now(), options["check"]):
            findings.append(finding)
            if not options["json"]:
                self.stdout.write(_line(finding))
        if options["json"]:
            told = [{"ok": finding.ok, **asdict(finding)} for finding in findings]
            self.stdout.write(msgspec.json.format(msgspec.json.encode(told)).decode())
        sys.exit(0 if all(finding.ok for finding in findings) else 1)


def _line(finding: Finding) -> str:
    state = "ok" if finding.ok else "FAULT"
    return f"{finding.check:<11} {state:<6} {finding.seen} {finding.remedy}".rstrip()
