# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An MCP server about the weather, written with the official SDK: its answers depend on the arguments alone.

python -m sandbox.servers.weather --port 9090
"""

from __future__ import annotations

import argparse
import hashlib
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field
from sandbox.servers import http

CITIES = {
    "Brno": (49.20, 16.61),
    "Lisbon": (38.72, -9.14),
    "Nairobi": (-1.29, 36.82),
    "Oslo": (59.91, 10.75),
    "Raleigh": (35.78, -78.64),
    "Singapore": (1.35, 103.82),
    "Wellington": (-41.29, 174.78),
}
"""Latitude and longitude, in degrees, of the places that the server knows."""

SKIES = ("clear", "cloudy", "fog", "rain", "snow", "storm")
READ_ONLY = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

City = Annotated[str, Field(description="Name of a city, as list_cities gives it")]


class Weather(BaseModel):
    """The weather of one day in one place."""

    city: str
    date: str
    sky: str
    celsius: float
    wind_kmh: int


class Place(BaseModel):
    """A city and where it is, in degrees."""

    name: str
    latitude: float
    longitude: float


class Places(BaseModel):
    """All cities that the server knows."""

    cities: list[Place]


class Forecast(BaseModel):
    """The weather of several days, the first one first."""

    city: str
    days: list[Weather]


def weather(city: str, date: str) -> Weather:
    """The weather that this server always reports for a city and a date (YYYY-MM-DD)."""
    known = {name.lower(): name for name in CITIES}
    name = known.get(city.strip().lower())
    if name is None:
        raise ToolError(f"Unknown city: {city}. Known cities: {', '.join(CITIES)}")
    dice = hashlib.sha256(f"{name} {date}".encode()).digest()
    warmth = 28 - 0.5 * abs(CITIES[name][0])
    celsius = round(warmth + dice[0] / 16 - 8, 1)
    sky = SKIES[dice[1] % len(SKIES)]
    return Weather(
        city=name,
        date=date,
        sky="rain" if sky == "snow" and celsius > 2 else sky,
        celsius=celsius,
        wind_kmh=dice[2] % 60,
    )


def create_server() -> MCPServer:
    """The server with its three tools."""
    server = MCPServer(
        "weather",
        version="1.0.0",
        instructions="Reports made-up but repeatable weather for a few cities.",
        subscriptions=False,
        log_level="WARNING",
    )

    @server.tool(annotations=READ_ONLY)
    def list_cities() -> Places:
        """List the cities whose weather can be asked for"""
        places = (Place(name=name, latitude=lat, longitude=lon) for name, (lat, lon) in CITIES.items())
        return Places(cities=list(places))

    @server.tool(annotations=READ_ONLY)
    def get_weather(
        city: City,
        date: Annotated[str, Field(description="Day as YYYY-MM-DD", pattern=r"^\d{4}-\d{2}-\d{2}$")] = "2026-01-01",
    ) -> Weather:
        """Get the weather in a city on a day"""
        return weather(city, date)

    @server.tool(annotations=READ_ONLY)
    def get_forecast(city: City, days: Annotated[int, Field(description="Number of days", ge=1, le=7)] = 3) -> Forecast:
        """Get the weather in a city for the first days of 2026"""
        return Forecast(
            city=weather(city, "2026-01-01").city,
            days=[weather(city, f"2026-01-{day:02}") for day in range(1, days + 1)],
        )

    return server


def main() -> None:
    parser = argparse.ArgumentParser(description="MCP server about the weather (Streamable HTTP at /mcp)")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    http.run(create_server(), parser.parse_args().port)


if __name__ == "__main__":
    main()
