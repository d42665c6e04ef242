"""Real servers on loopback, and faults, for tests, the demo and benchmarks.

Nothing here is shipped. Every server is a context manager with an ``endpoint``; it
keeps its data in a temporary folder, listens on ports that were free at its start, and
is ended by the id of the process that was started.

Modules:
    ports        free loopback ports
    process      a server process that is certainly ended
    seaweedfs    an S3 server with versions, delete markers and access keys
    rclone       an S3 server over a folder, without versions
    fake_gcs     a Google Cloud Storage server with generations
    faults       what may go wrong with an answer, as data
    wire         the listener that the next ones share
    delivery     answers, also with faults
    hostile      S3 and GCS that do wrong whatever a test says
    conditions   preconditions and ranges of requests
    forwarder    a reverse proxy that counts requests and injects faults
    proxy        a TCP proxy that spoils what passes, by a seed
    http_server  an HTTP server with resources that a test programs
    tls          a self-signed certificate for loopback
    guards       a clean environment, and no sockets but loopback
"""
