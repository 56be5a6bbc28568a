"""The worker runtime: what runs apps inside a worker process.

`python -m dirtyd.worker` is started by the arbiter and speaks
`dirty/worker/v1/worker.proto` on the inherited socket. It needs protobuf only.

    __main__   the process: descriptor, signals, exit
    runtime    what each frame asks for, and the order of a worker's life
    turn       who reads the socket while the main thread runs a call
    link       frames on the socket
    loader     apps: import, init, import afresh, close
    running    one call: its state, cancellation, terminal frame
    credit     how many chunks a stream may send
    actions    run an action, and whatever it returns, to the one outcome
    threads    sync actions on a pool of threads
    loop       async actions on the one event loop
    interrupt  raise in an action that has run into its timeout
    failures   exceptions as Failure messages
"""
