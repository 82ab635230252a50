"""What becomes of each file in files/: its tests in their order, and what must be said: line, verdict, words."""

D, P, R = "does", "partly", "refused"

OUTCOMES = {
    "chaos_mesh/no_duration.yaml": (
        ["NetworkDelay(delay_ms=45) on ts-order-service"],
        [(6, D, "until the window ends, then undone"), (12, D, "45 ms each way: the same round trip")],
    ),
    "chaos_mesh/duration.yaml": (["StopService() on ts-order-service"], [(8, D, "5m there")]),
    "chaos_mesh/fixed_percent.yaml": (
        [
            'HttpAbort(percent=100, method="POST", path="/api/v1/orderservice/", status=503) on ts-order-service',
        ],
        [(7, P, "70 % of the pods and not of requests"), (6, D, "those that are open are left alone there")],
    ),
    "chaos_mesh/http_delay_and_patch.yaml": ([], [(14, R, "patch")]),
    "chaos_mesh/scope_node.yaml": ([], [(9, R, "selects by machine")]),
    "chaos_mesh/physical_machine.yaml": ([], [(1, R, "done to a machine")]),
    "chaos_mesh/init_container.yaml": ([], [(8, R, "an init container has ended before")]),
    "chaos_mesh/sidecar.yaml": (["KillService(once=True) on ts-order-service"], [(8, P, "is one container")]),
    "chaos_mesh/correlation.yaml": (
        ["NetworkLoss(percent=25) on ts-order-service"],
        [(13, P, "50 %: here each packet is drawn for itself")],
    ),
    "chaos_mesh/all_lost.yaml": ([], [(11, R, "take PauseService")]),
    "chaos_mesh/paused.yaml": (["KillService(once=True) on ts-order-service, skipped"], [(6, P, "paused there")]),
    "chaos_mesh/netem.yaml": (
        ["NetworkDelay(delay_ms=100) on ts-order-service", "NetworkLoss(percent=10) on ts-order-service"],
        [(6, P, "2 things at once there"), (13, R, "the nearest is NetworkLoss")],
    ),
    "chaos_mesh/bandwidth.yaml": (["NetworkBandwidth(rate_kbit=800) on ts-order-service"], [(11, P, "here each way")]),
    "chaos_mesh/partition.yaml": (
        ['NetworkPartition(peers=("ts-order-service",)) on ts-preserve-service, skipped'],
        [(8, D, "one direction there"), (6, P, "needs runtime 'docker'")],
    ),
    "chaos_mesh/too_small.yaml": ([], [(11, R, "must be a number from 20")]),
    "chaos_mesh/jvm.yaml": ([], [(12, R, "write CodeException(function=")]),
    "chaos_mesh/io_fault.yaml": ([], [(6, R, "no fault here has a disk say what is wrong")]),
    "chaos_mesh/io_latency.yaml": (["DiskStress(stall_ms=100) on ts-order-service"], [(13, P, "50 % of the calls")]),
    "chaos_mesh/time.yaml": ([], [(1, R, "clock")]),
    "chaos_mesh/unknown_kind.yaml": ([], [(1, R, "no kind of Chaos Mesh that is known here")]),
    "chaos_mesh/unknown_action.yaml": ([], [(6, R, "'pod-explode' is none of pod-kill")]),
    "chaos_mesh/unknown_key.yaml": (["KillService(once=True) on ts-order-service"], [(8, P, "it is left out")]),
    "chaos_mesh/unmapped.yaml": ([], [(10, R, "is it ts-order-service")]),
    "chaos_mesh/whole_namespace.yaml": ([], [(9, R, "selects whole namespaces")]),
    "chaos_mesh/several_services.yaml": (
        ["KillService(once=True) on ts-order-service", "KillService(once=True) on ts-user-service"],
        [(9, P, "2 services")],
    ),
    "chaos_mesh/schedule_cron.yaml": (
        ["NetworkDelay(delay_ms=100) on ts-order-service"],
        [(6, P, "0 3 * * *: a case has one window")],
    ),
    "chaos_mesh/comes_and_goes.yaml": (
        [
            'HttpDelay(on_s=5, off_s=3, percent=100, method="", path="/", header="X-Group: beta", delay_ms=500) '
            "on ts-order-service"
        ],
        [(6, D, "@every 8s: repeated within the window")],
    ),
    "chaos_mesh/schedule_workflow.yaml": (
        ["KillService(once=True) on ts-order-service", "StopService() on ts-order-service"],
        [(9, P, "*/5 * * * *: a case has one window")],
    ),
    "chaos_mesh/workflow.yaml": (
        [
            "NetworkDelay(delay_ms=50) on ts-order-service",
            "KillService(once=True) on ts-order-service",
            "CpuContention(burners=2) on ts-order-service",
        ],
        [(21, D, "a wait"), (24, P, "at once with others of both"), (42, R, "this URL is not"), (45, R, "a container")],
    ),
    "chaos_mesh/workflow_circle.yaml": ([], [(8, R, "its own child"), (8, R, "'gone' is no template")]),
    "chaos_mesh/several_documents.yaml": (
        ["KillService(once=True) on ts-order-service", "NetworkDelay(delay_ms=50) on ts-order-service"],
        [(18, P, "line 7 has it too: both at once there")],
    ),
    "chaos_mesh/same_key_twice.yaml": ([], [(10, R, "stands here and on line 7")]),
    "chaos_mesh/template.yaml": ([], [(1, R, "render it first")]),
    "chaos_mesh/placeholder.yaml": ([], [(10, R, "${APP} stands for a value")]),
    "chaos_mesh/broken.yaml": ([], [(5, R, "can't be read")]),
    "chaos_mesh/empty_spec.yaml": ([], [(1, R, "there is none")]),
    "chaos_mesh/refers_to_itself.yaml": (["KillService(once=True) on ts-order-service"], [(8, P, "it is left out")]),
    "litmus/pod_delete.yaml": (["KillService(period_s=10) on ts-order-service"], [(19, P, "SIGKILL at once")]),
    "litmus/network_latency.yaml": (
        ["NetworkDelay(delay_ms=1000, jitter_ms=50) on ts-order-service"],
        [(19, P, "70 % of the pods"), (20, P, "only what goes there")],
    ),
    "litmus/network_loss.yaml": ([], [(13, R, "all packets lost is no NetworkLoss")]),
    "litmus/http_status.yaml": (
        ['HttpAbort(percent=50, method="", path="/", status=503) on ts-order-service'],
        [(18, P, "50 % of the connections there; here of the requests")],
    ),
    "litmus/dns_error.yaml": (['DnsFailure(peers=("ts-order-service",)) on ts-preserve-service'], []),
    "litmus/node_drain.yaml": ([], [(13, R, "done to a machine")]),
    "litmus/unknown.yaml": ([], [(13, R, "no fault here is like it")]),
    "litmus/stopped.yaml": (["CpuContention(burners=2) on ts-order-service, skipped"], [(6, P, "stopped there")]),
    "litmus/probes.yaml": (
        ["KillService(period_s=5) on ts-order-service"],
        [
            (19, P, "the test expects it tolerated"),
            (26, D, "asked of every case"),
            (36, R, "a POST with a body of its own"),
            (38, R, "it runs a command"),
            (42, R, "no query is asked here"),
            (46, R, "no cluster to ask"),
        ],
    ),
    "litmus/drawn.yaml": (
        [
            "KillService(period_s=7.5) on ts-order-service",
            'HttpAbort(percent=100, method="", path="/", status=502) on ts-order-service',
            "KillService(period_s=10) on ts-order-service",
        ],
        [(13, P, "here always 7.5 s"), (18, P, "the first of 500 and above"), (20, D, "not said: Litmus has 10")],
    ),
    "litmus/definition.yaml": ([], [(1, R, "import that")]),
    "litmus/from_a_secret.yaml": ([], [(18, R, "a ConfigMap or a Secret")]),
    "chaosblade/delay.yaml": (
        ["NetworkDelay(delay_ms=1500, jitter_ms=500) on ts-order-service"],
        [(16, P, "3306: only what goes there")],
    ),
    "chaosblade/node_cpu.yaml": ([], [(7, R, "done to the machine")]),
    "chaosblade/two_on_one.yaml": (
        ["NetworkLoss(percent=60) on ts-order-service", "PauseService() on ts-order-service"],
        [(13, P, "line 7 has it too")],
    ),
    "chaosblade/commands.sh": (
        ["KillService(once=True) on ts-order-service", "PauseService() on ts-station-service"],
        [(3, P, "70 of the pods"), (5, R, "done to the machine"), (7, R, "its class and method are Java's")],
    ),
    "chaosblade/redis.sh": (
        ["RedisMemoryLimit(percent_of_used=50) on home-timeline-redis"],
        [(1, P, "no limit at all")],
    ),
    "toxiproxy/toxicity_1.json": (
        ["NetworkDelay(delay_ms=500) on ts-order-service"],
        [(5, D, "they meet it at once there")],
    ),
    "toxiproxy/toxicity_0.json": ([], [(5, R, "applied to no connection")]),
    "toxiproxy/toxicity_half.json": (
        ['HttpDelay(percent=50, method="", path="/", delay_ms=1000) on ts-order-service'],
        [(5, P, "0.5 of the connections there; here 50 % of the requests")],
    ),
    "toxiproxy/timeout.json": (
        ["PauseService() on ts-order-service"],
        [(5, P, "only the way by the proxy"), (5, D, "they fall silent, there as here")],
    ),
    "toxiproxy/reset_and_slicer.json": (
        ['HttpAbort(percent=100, method="", path="/") on ts-order-service'],
        [(5, P, "here 503 is answered"), (6, R, "cuts data into pieces")],
    ),
    "toxiproxy/config.json": (["StopService() on ts-station-service"], [(3, P, "stopped for all")]),
    "toxiproxy/idle.json": ([], [(1, D, "no fault")]),
    "toxiproxy/alone.json": ([], [(1, R, "a toxic alone")]),
    "toxiproxy/commands.sh": (
        [
            "NetworkBandwidth(rate_kbit=128) on ts-order-service",
            "NetworkDelay(delay_ms=250, jitter_ms=50) on ts-order-service",
            "StopService() on ts-order-service",
        ],
        [(2, P, "for all of them together"), (3, D, "500 ms downstream")],
    ),
    # the nine of TrainTicket, in the layout of AnoMod's directory chaos-experiments
    "anomod/Lv_P_CPU_preserve.yaml": (
        ["CpuContention(burners=2) on ts-preserve-service"],
        [(16, P, "20 ms of every 100")],
    ),
    "anomod/Lv_P_DISKIO_preserve.yaml": (["DiskStress() on ts-preserve-service"], [(13, P, "Chaos Mesh's own daemon")]),
    "anomod/Lv_P_NETLOSS_preserve.yaml": (
        ["NetworkLoss(percent=90) on ts-preserve-service"],
        [(15, P, "here of what comes in as well")],
    ),
    "anomod/Lv_S_DNSFAIL_preserve_no_order.yaml": (
        ['DnsFailure(peers=("ts-order-service", "ts-order-other-service")) on ts-preserve-service'],
        [(15, D, "there they go on")],
    ),
    "anomod/Lv_S_HTTPABORT_preserve.yaml": (
        ['HttpAbort(percent=100, method="POST", path="/api/v1/preserveservice/") on ts-preserve-service'],
        [(8, P, "if 70 % of the requests are meant, write percent=70"), (18, P, "the code 503 is never sent")],
    ),
    "anomod/Lv_S_KILLPOD_preserve.yaml": (
        ["KillService(period_s=3) on ts-preserve-service"],
        [(7, D, "repeated within the window")],
    ),
    "anomod/Lv_D_cachelimit.yaml": (
        ["DatabaseMemoryLimit(percent_of_used=15) on tsdb-mysql"],
        [(15, P, "a session gets 15 % of the memory")],
    ),
    "anomod/Lv_D_CONNECTION_POOL_exhaustion.yaml": ([], [(7, R, "network_delay on 'tsdb-mysql': no Listener")]),
    "anomod/Lv_D_TRANSACTION_timeout.yaml": ([], [(7, R, "network_delay on 'tsdb-mysql': no Listener")]),
}
