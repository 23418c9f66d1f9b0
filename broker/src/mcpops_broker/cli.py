# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The command line: `mcpops-broker serve`, `check`, `pin` and `hash-key`."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex

from mcpops_broker import __version__, logs
from mcpops_broker.config.auth import open_to_all
from mcpops_broker.config.file import load
from mcpops_broker.config.model import Config
from mcpops_broker.config.parse import ConfigError
from mcpops_broker.config.watch import signature
from mcpops_broker.settings import Options, secret_from, trusted_key_from

EXIT_USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code: 0 done, 1 failed, 2 wrong use or configuration."""
    options = _parser().parse_args(arguments)
    if options.command == "hash-key":
        return _hash_key(generate=options.generate)
    seen = signature(options.config)
    try:
        config = load(options.config)
        secret, source = secret_from(os.environ, config)
        trusted_key = trusted_key_from(os.environ)
    except ConfigError as error:
        for problem in error.problems:
            print(f"{options.config}: {problem}", file=sys.stderr)
        return EXIT_USAGE
    if options.command == "check":
        if problem := open_to_all(config.broker.auth, options.host, options.anonymous):
            print(f"{options.config}: {problem}", file=sys.stderr)
            return EXIT_USAGE
        for warning in config.warnings:
            print(f"{options.config}: warning: {warning}", file=sys.stderr)
        print(f"{options.config}: valid, {len(config.servers)} servers, {len(config.virtual_servers)} virtual servers")
        return 0
    if options.command == "pin":
        from mcpops_broker.pin import PinOptions, pin  # noqa: PLC0415 - a broker that serves needs it not

        logs.setup("error", "text")
        wanted = PinOptions(tuple(options.server), options.output, options.compare)
        return pin(Options(options.config, seen, secret, trusted_key=trusted_key), config, wanted)

    from mcpops_broker.serve import Tls, allow_many_files, listen, serve  # noqa: PLC0415 - `check` needs no server
    from mcpops_broker.workers import Worker, Workers  # noqa: PLC0415 - one process needs no supervisor

    logs.setup(options.log_level, options.log_format)
    tls = Tls(options.tls_certificate, options.tls_key) if options.tls_certificate else None
    problem = tls.problem() if tls else "--tls-key needs --tls-certificate, too" if options.tls_key else ""
    problem = problem or _cluster_problem(options) or _store_problem(config)
    if problem:
        print(problem, file=sys.stderr)
        return EXIT_USAGE
    try:
        listener = listen(options.host, options.port)
    except OSError as error:
        print(f"cannot listen on {options.host} port {options.port}: {error.strerror}", file=sys.stderr)
        return 1
    allow_many_files()
    host, port = listener.getsockname()[:2]
    settings = Options(
        options.config,
        seen,
        secret,
        public_host=options.public_host,
        allowed_origins=tuple(options.allowed_origin),
        trusted_key=trusted_key,
        address=host,
        anonymous=options.anonymous,
        namespaces=tuple(options.namespace) if options.cluster else None,
        allowed_hosts=tuple(options.allowed_host),
        replica=token_hex(4) if config.broker.store.host else "",
    )
    try:
        settings.check(config)
    except ConfigError as error:
        print(f"{options.config}: {error}", file=sys.stderr)
        return EXIT_USAGE
    host = f"[{host}]" if ":" in host else host
    logs.info(
        "listening",
        url=f"{'https' if tls else 'http'}://{host}:{port}/mcp",
        version=__version__,
        config=options.config,
        servers=len(config.servers),
        workers=options.workers,
        sessionKey=source,
    )
    if config.broker.store.host and source == "random":
        logs.warning(
            "config.warning", problem="broker.store is of no use without a signing key: replicas need the same"
        )
    if options.workers == 1:
        return serve(listener, settings, config, tls=tls)

    def work(worker: Worker) -> int:
        return serve(listener, settings, config, worker, tls=tls)

    return Workers(options.workers, work, listener, settings.replica).run()


def _cluster_problem(options: argparse.Namespace) -> str:
    if not options.cluster:
        return "--namespace has no meaning without --cluster" if options.namespace else ""
    try:
        from mcpops_broker.cluster.api import ApiProblem, find_cluster  # noqa: PLC0415 - an extra, which few need
    except ModuleNotFoundError as error:
        return f"--cluster needs the package {error.name}: install mcpops-broker[cluster]"
    try:
        find_cluster()
    except ApiProblem as problem:
        return f"--cluster: {problem}"
    return ""


def _store_problem(config: Config) -> str:
    if config.broker.store.host and find_spec("redis") is None:
        return "broker.store needs the package redis: install mcpops-broker[redis]"
    return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mcpops-broker", description="Many MCP servers behind one /mcp endpoint.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve /mcp until SIGTERM")
    check = commands.add_parser("check", help="validate a configuration file and exit")
    pin = commands.add_parser("pin", help="write down the tools of the servers as they are now, for broker.toolGuard")
    pin.add_argument(
        "--server", action="append", default=[], metavar="NAME", help="only of this server (may be given several times)"
    )
    pin.add_argument("--output", type=Path, metavar="FILE", help="where to write the pins (default: standard output)")
    pin.add_argument("--compare", action="store_true", help="only tell what differs from the pins; exit code 1 then")
    for command in (serve, check, pin):
        command.add_argument(
            "--config", type=Path, required=True, help="configuration file (the operator's config.yaml)"
        )
        command.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
        command.add_argument(
            "--anonymous",
            action="store_true",
            help="serve everybody unless broker.auth says whom, also beyond this machine (a gateway in front decides)",
        )
    hash_key = commands.add_parser(
        "hash-key", help="print the 'hash' of an API key for the configuration; the key is read from standard input"
    )
    hash_key.add_argument("--generate", action="store_true", help="make a new key and print it, too")
    serve.add_argument(
        "--port", type=_port, default=8080, help="port to listen on, 0 for a free one (default %(default)s)"
    )
    serve.add_argument("--workers", type=_count, default=1, help="processes that share the port (default %(default)s)")
    serve.add_argument("--public-host", help="name under which clients reach the broker; its web pages may call it")
    serve.add_argument(
        "--cluster",
        action="store_true",
        help="serve what MCPServerRegistration and MCPVirtualServer objects of this Kubernetes cluster name, too",
    )
    serve.add_argument(
        "--namespace",
        action="append",
        default=[],
        help="only of this namespace (may be given several times; default: of all)",
    )
    serve.add_argument("--tls-certificate", type=Path, help="PEM file with the certificate and its chain: serve https")
    serve.add_argument("--tls-key", type=Path, help="PEM file with its private key (default: in the same file)")
    serve.add_argument(
        "--allowed-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help='web pages from there may call it, too; "*" for any (may be given several times)',
    )
    serve.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help='it may be asked under this name, too; "*" for any (may be given several times)',
    )
    serve.add_argument(
        "--log-level", type=_level, default="info", help="debug, info, warning, error, or the operator's number"
    )
    serve.add_argument("--log-format", choices=("text", "json"), default="text")
    return parser


def _hash_key(*, generate: bool) -> int:
    """Print what the configuration is to hold of a key: of a new one, or of the one on standard input."""
    from mcpops_broker.access.api_keys import hashed, key_problem, new_key  # noqa: PLC0415 - only needed here

    key = new_key() if generate else sys.stdin.readline().strip()
    if problem := key_problem(key):
        print(problem, file=sys.stderr)
        return EXIT_USAGE
    if generate:
        print(f"key: {key}")
    print(f"hash: {hashed(key.encode())}")
    return 0


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers: give a number from 1 to 256")
    return int(text)


def _level(text: str) -> str:
    try:
        logs.level_number(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no log level: give {', '.join(logs.LEVELS)} or a number"
        ) from None
    return text
