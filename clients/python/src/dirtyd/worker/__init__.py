"""The worker runtime, which runs apps inside a worker process.

The arbiter starts `python -m dirtyd.worker`, which speaks
`dirty/worker/v1/worker.proto` on the inherited socket. It needs only protobuf.

    __main__   the process: descriptor, signals, exit
    runtime    what each frame asks for, and the order of a worker's life
    protocol   which versions the worker speaks, and what it has agreed on with its arbiter
    turn       which thread reads the socket while the main thread runs a call
    waiter     where a thread waits for the socket
    link       frames on the socket
    wire       requests read by hand; wire_values reads and writes values
    memory     what the C library keeps of the memory of large messages
    loader     apps: import, init, import afresh, close
    running    one call: its state, cancellation, terminal frame
    credit     how many chunks a stream may send
    actions    run an action, and what it returns, to the one outcome
    threads    sync actions on a pool of threads
    loop       async actions on the one event loop
    interrupt  raise in an action that has run for its whole timeout
    failures   exceptions as Failure messages
    reporting  what the metrics of apps have gained, once a second
    stacks     what threads, tasks and greenlets do; awaits follows what a task awaits
    tracing    the caller's trace as the current context of OpenTelemetry
"""
