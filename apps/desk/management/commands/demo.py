"""Run Wattdesk with a simulated house."""

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandParser
from django.utils import timezone

from apps.accounts.passwords import DEMO_PASSWORD
from apps.desk import demo, demo_building
from apps.desk.running import answers, child, serve
from apps.houses.models import House
from config.commands import ExampleCommand
from config.supervisor import Child


class Command(ExampleCommand):
    help = """Run Wattdesk with a simulated house: its devices answer over HTTP and the edge agent polls them.

An office beside it is read by two simulated AcquiSuite loggers, and its utility meter is derived.
The first start makes two weeks of history; later ones fill in what was missed."""
    example = "demo --port 8001 --fresh"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the web server (8000)")
        parser.add_argument("--fresh", action="store_true", help="forget every house and person first")

    def handle(self, *args: Any, port: int, fresh: bool, **options: Any) -> None:
        url = f"http://127.0.0.1:{port}"
        # For the children. The address of a real installation would send them, and people, elsewhere.
        os.environ |= {"WATTDESK_DEMO": "1", "PUBLIC_URL": url}

        def prepare() -> list[Child]:
            demo.refuse_a_real_installation()
            if fresh:
                demo.clear()
            self.stdout.write("Preparing the demo house …")
            ports = demo.free_ports()
            now = timezone.now()
            house = demo.seed(now=now, url=url, ports=ports)
            office = demo_building.seed(now=now, members=demo.members())
            loggers = demo_building.children(office, url=url, now=now)
            simulators = [_simulator(house, kind, port) for kind, port in ports.items()]
            return [*simulators, _agent(url), *loggers]

        sys.exit(serve(port=port, announcement=_announcement(url), prepare=prepare))


def _simulator(house: House, kind: str, port: int) -> Child:
    """A simulated device, in the same world that the history came from."""
    building = demo.BUILDING
    world = {
        "--port": port,
        "--seed": demo.SEED,
        "--start": f"{demo.world_start(house):%Y-%m-%d}",
        "--zone": building.zone,
        "--latitude": building.latitude,
        "--longitude": building.longitude,
        "--volts": building.volts,
        "--hertz": building.hertz,
    }
    options = [str(part) for option in world.items() for part in option]
    return child(kind, "collectors", "simulate", kind, *options)


def _agent(url: str) -> Child:
    """The edge agent, started once the server at `url` answers."""
    state = Path(settings.VAR) / "demo" / "agent"
    options = ["--bundle", str(demo.bundle_file()), "--state", str(state)]
    return child("agent", "collectors", "agent", *options, after=lambda: answers(url))


def _announcement(url: str) -> str:
    people = "\n".join(f"  {email:<28} {name}" for email, (name, _) in demo.PEOPLE.items())
    return f"""
Wattdesk answers at {url}

Log in with the password {DEMO_PASSWORD} as
{people}

Ctrl-C stops everything.
"""
