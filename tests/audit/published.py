"""Small inputs in the layout of AnoMod's published data, with the defects that an audit of the real one found."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

CASES = {
    "Normal_Baseline": "20251103_220228",
    "Perf_Network_Loss": "20251103_224954",
    "DB_Redis_CacheLimit_HomeTimeline": "20251104_004905",
    "Svc_Kill_Media": "20251104_000111",
    "Code_Stop_UserService": "20251104_020019",
}
TT_CASES = ("Normal_case", "Lv_P_DISKIO_preserve", "Lv_S_KILLPOD_order", "Lv_D_TRANSACTION_timeout")
SERVICES = ("ComposePostService", "UserService", "MediaService", "HomeTimelineService")
PRESERVE_BYTES = 132_674


def write(root: Path) -> Path:
    """Both systems below a root."""
    for name, stamp in CASES.items():
        _social_network(root / "SN_data", name, stamp)
    for name in TT_CASES:
        _train_ticket(root / "TT_data", name)
    return root


def pointer(size: int, content: str) -> str:
    """What Git LFS leaves in the place of a file."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size}\n"


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _social_network(root: Path, name: str, stamp: str) -> None:
    start = dt.datetime.strptime(stamp, "%Y%m%d_%H%M%S").replace(tzinfo=dt.UTC)
    after = f"{start + dt.timedelta(minutes=20):%Y-%m-%d_%H-%M-%S}"
    stopped = name == "Code_Stop_UserService"
    _logs(root / "log_data" / f"{name}_{stamp}_logs_{after}", start, stopped)
    metrics = root / "metric_data" / f"{name}_{stamp}_metrics_{after}"
    for metric in ("system_load1", "socialnet_container_cpu"):
        rows = [f'{start + dt.timedelta(seconds=15 * n):%Y-%m-%d %H:%M:%S},{0.1 * n + len(name)},"a"' for n in range(9)]
        _put(metrics / f"{metric}.csv", "\n".join(["timestamp,value,metric", *rows]))
    spans = root / "trace_data" / f"{name}_{stamp}_traces_{after}"
    rows = [
        f"{name}{n},s{n},,{SERVICES[n % 2]},op,{start + dt.timedelta(seconds=5 * n):%Y-%m-%d %H:%M:%S.%f},{900 + n}"
        for n in range(100)
    ]
    _put(
        spans / "all_traces.csv",
        "trace_id,span_id,parent_span_id,service,operation,start_time,duration_us\n" + "\n".join(rows),
    )
    answers = root / "api_responses" / f"{name}_{stamp}_openapi_{after}"
    _answers(answers, start + dt.timedelta(minutes=20))
    coverage = root / "coverage_data" / f"{name}_{stamp}_coverage_{after}"
    for service in ("compose-post-service", "user-service"):
        counts = ("0:Source:/src/Handler.h", "10:int f() {", "11:  return 1;", "12:  throw 1;")
        marks = ("-", "200", "200", "#####") if not stopped else ("-", "90", "#####", "5")
        lines = [f"{mark:>9}:{count:>9}" for mark, count in zip(marks, counts, strict=True)]
        _put(coverage / service / "#src#Handler.h.gcov", "\n".join(lines))


def _logs(folder: Path, start: dt.datetime, stopped: bool) -> None:
    """Lines of a start-up hours before the case, and of the case; a summary that says that nothing was cut."""
    told = []
    for service in SERVICES:
        count = 5 if stopped and service == "ComposePostService" else 20
        times = [
            start - dt.timedelta(hours=2, seconds=-n) if n < 0.7 * count else start + dt.timedelta(seconds=n)
            for n in range(count)
        ]
        lines = [
            f"[{time:%Y-%b-%d %H:%M:%S.%f}] <info>: (A.cpp:12:f) Received request {n}" for n, time in enumerate(times)
        ]
        _put(folder / f"{service}_.log", "\n".join(lines))
        told.append(f"- {service}: 4K ({count}行) - 错误: 0")
    errors = [f"{start:%Y/%m/%d %H:%M:%S} [error] 10#10: *{n} compose.lua: failure" for n in range(30 * stopped)]
    _put(folder / "NginxThrift_.log", "\n".join(errors))
    _put(folder / "summary.txt", "\n".join(["收集时间: ", "时间范围: 完整历史记录（无限制）", *told]))


def _answers(folder: Path, start: dt.datetime) -> None:
    """Four answers in five are 400, whatever is broken."""
    rows = [
        {
            "timestamp": f"{start + dt.timedelta(seconds=n):%Y-%m-%dT%H:%M:%S.%f}", "endpoint": "/user/register",
            "status_code": 404 if n % 5 == 4 else 400, "latency_ms": 1.5 + n + start.minute,
            "request_start_time": start.timestamp() + n,
        }
        for n in range(20)
    ]  # fmt: skip
    _put(folder / "openapi_responses.jsonl", "\n".join(map(json.dumps, rows)))
    _put(folder / "status_code_distribution.csv", "status_code,count,percentage\n400,120,80.00\n404,30,20.00\n")


def _train_ticket(root: Path, name: str) -> None:
    """As it lies in the repository: logs are pointers of Git LFS, reports are there."""
    for pod, size in (("ts-preserve-service", PRESERVE_BYTES), ("ts-order-service", 90_000 + 1_000 * len(name))):
        _put(root / "log_data" / name / pod / f"{pod}_20251105_010203.log", pointer(size, f"{name} {pod}"))
    _put(root / "coverage_report" / name / "summary.csv", "services,41,41\n")
    _put(root / "metric_data" / name / f"{name}_metrics_20251105_010203.csv", pointer(5_000 + len(name), name))
