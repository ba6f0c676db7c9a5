from __future__ import annotations

import json

import pytest

from autorepair.causes.troubles import Trouble, trouble_in, trouble_of
from autorepair.domain.evidence import LogLine
from unit.logbook import START

THROTTLED = (
    (
        "An error occurred (ThrottlingException) when calling the InvokeModel operation: Too many "
        "requests, please wait before trying again."
    ),
    (
        "ProvisionedThroughputExceededException: The level of configured provisioned "
        "throughput for "
        "the table was exceeded."
    ),
    (
        "com.amazonaws.services.s3.model.AmazonS3Exception: Please reduce your request "
        "rate. (Service: "
        "Amazon S3; Status Code: 503; Error Code: SlowDown)"
    ),
    (
        "openai.RateLimitError: Error code: 429 - {'error': {'message': 'You exceeded your current "
        "quota, please check your plan', 'code': 'insufficient_quota'}}"
    ),
    (
        "software.amazon.awssdk.services.kms.model.KmsException: You have exceeded the rate at "
        "which you may call KMS. Reduce the frequency of your calls. (Service: Kms, Status Code: "
        "400)"
    ),
    "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
    "calls exceed the maximum request rate for this account",
    "AxiosError: Request failed with status code 429",
    "requests.exceptions.HTTPError: 429 Client Error: Too Many Requests for url: https://a.example",
    "WebClientResponseException$TooManyRequests: 429 Too Many Requests from POST https://a.example",
    "the server responded with status 429",
    "Stripe::RateLimitError: Request rate limit exceeded",
    "slack_sdk.errors.SlackApiError: ratelimited (status: 429)",
    "GET https://api.github.com/x: 403 API rate limit exceeded for installation ID 7.",
    "Rate exceeded (Service: AWSSimpleSystemsManagement; Status Code: 400)",
    "TooManyRequestsException: Rate Exceeded.",
    "operation error SQS: SendMessage, RequestThrottled",
    "rpc error: code = ResourceExhausted desc = Quota exceeded for quota metric 'Queries'",
    "StatusCode.RESOURCE_EXHAUSTED quota",
    "RequestLimitExceeded: Request limit exceeded.",
    "SalesforceGeneralError: REQUEST_LIMIT_EXCEEDED TotalRequests Limit exceeded.",
    "es_rejected_execution_exception: rejected execution of coordinating operation",
    (
        "System.Net.Http.HttpRequestException: Response status code does not indicate success: 429 "
        "(Too Many Requests)."
    ),
    "Throttling - Maximum sending rate exceeded.",
    "12 UnprocessedItems left after 8 attempts",
)
EXHAUSTED = (
    "FATAL: remaining connection slots are reserved for non-replication superuser connections",
    "FATAL: sorry, too many clients already",
    "pq: sorry, too many clients already",
    'asyncpg.exceptions.TooManyConnectionsError: too many connections for role "app"',
    "pymysql.err.OperationalError: (1040, 'Too many connections')",
    "SQLSTATE[HY000] [1040] Too many connections",
    "User app has exceeded the 'max_user_connections' resource (current value: 20)",
    "ERROR: no more connections allowed (max_client_conn)",
    "FATAL: MaxClientsInSessionMode: max clients reached - in Session mode",
    "Timed-out waiting to acquire database connection",
    (
        "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not "
        "available, request "
        "timed out after 30000ms."
    ),
    (
        "sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 10 reached, "
        "connection timed "
        "out, timeout 30.00"
    ),
    "PrismaClientKnownRequestError: Timed out fetching a new connection from the connection pool.",
    "KnexTimeoutError: Knex: Timeout acquiring a connection. The pool is probably full.",
    "SequelizeConnectionAcquireTimeoutError: Operation timeout",
    "The connection pool has been exhausted, either raise MaxPoolSize (currently 100)",
    "Timeout expired.  The timeout period elapsed prior to obtaining a connection from the pool.",
    "ORA-12516, TNS:listener could not find available handler with matching protocol stack",
    "ORA-00018: maximum number of sessions exceeded",
    "ERR max number of clients reached",
    "redis.clients.jedis.exceptions.JedisExhaustedPoolException: Could not get a resource",
    "redis: connection pool timeout",
    "MongoWaitQueueTimeoutError: Timed out while checking out a connection from connection pool",
    "ActiveRecord::ConnectionTimeoutError: could not obtain a connection from the pool within 5 s",
    "pool timed out while waiting for an open connection",
    "psycopg_pool.PoolTimeout: couldn't get a connection after 30.00 sec",
    "SdkClientException: Unable to execute HTTP request: Timeout waiting for connection from pool",
    "421 4.7.0 Too many concurrent SMTP connections",
)
UNREACHABLE = (
    "connect ENETUNREACH 2600:1f18::1:443 - Local (:::0)",
    "connect EHOSTUNREACH 10.0.3.7:5432",
    "OSError: [Errno 101] Network is unreachable",
    "dial tcp 10.2.3.4:443: connect: no route to host",
    "java.net.NoRouteToHostException: No route to host",
    "System.Net.Sockets.SocketException (113): No route to host",
    (
        "Error: The function could not mount the EFS file system with access point "
        "arn:aws:x due to "
        "mount time out."
    ),
    "EFSMountConnectivityException",
    "ENILimitReachedException",
    "SubnetIPAddressLimitReachedException",
)
OVERDUE = (
    "canceling statement due to statement timeout",
    "psycopg2.errors.QueryCanceled: canceling statement due to user request",
    "Query execution was interrupted, maximum statement execution time exceeded",
    "Lock wait timeout exceeded; try restarting transaction",
    (
        "Execution Timeout Expired.  The timeout period elapsed prior to completion of "
        "the operation "
        "or the server is not responding."
    ),
    "MongoServerError: operation exceeded time limit (MaxTimeMSExpired)",
    "000630 (57014): Statement reached its statement or warehouse timeout of 60 second(s)",
)
REFUSED = (
    "connect ECONNREFUSED 10.1.2.3:443",
    "urllib.error.HTTPError: HTTP Error 503: Service Unavailable",
    "AxiosError: Request failed with status code 502",
    "POST /refunds -> 503, Retry-After: 60",
    "the server responded with status 503",
    "Response status code does not indicate success: 503 (Service Unavailable).",
    "500 Internal Server Error from POST https://psp.example/charge",
    "An error occurred (InternalServerError) when calling the PutItem operation",
    "rpc error: code = Unavailable desc = connection error",
    "Error: 14 UNAVAILABLE: No connection established",
    "certificate has expired",
    "ORA-12541: TNS:no listener",
    'level=ERROR msg="charge failed" status=503',
    "Server error: `POST https://a.example` resulted in a `504 Gateway Time-out` response",
)
NO_ANSWER = (
    "HTTPSConnectionPool(host='psp.example', port=443): Read timed out. (read timeout=5)",
    'ReadTimeoutError: Read timeout on endpoint URL: "https://x.example/"',
    "timeout of 5000ms exceeded",
    "HeadersTimeoutError: Headers Timeout Error UND_ERR_HEADERS_TIMEOUT",
    "java.net.SocketTimeoutException: Read timed out",
    "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
    "The request was canceled due to the configured HttpClient.Timeout of 10 seconds elapsing.",
    "Net::ReadTimeout: Net::ReadTimeout with #<TCPSocket:(closed)>",
    "cURL error 28: Operation timed out after 30001 milliseconds with 0 bytes received",
    "ConnectionTimeout caused by - ReadTimeoutError(HTTPSConnectionPool: Read timed out.)",
    "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    "io.lettuce.core.RedisCommandTimeoutException: Command timed out after 2 second(s)",
    "ApiCallTimeoutException: Client execution did not complete before the specified timeout",
)
CONNECT_TIMEOUT = (
    'Connect timeout on endpoint URL: "https://secretsmanager.eu-west-1.amazonaws.com/"',
    "connect ETIMEDOUT 10.0.3.7:5432",
    "ConnectTimeoutError: Connect Timeout Error UND_ERR_CONNECT_TIMEOUT",
    (
        'psycopg2.OperationalError: connection to server at "db" (10.0.1.5), port 5432 failed: '
        "Connection timed out\n\tIs the server running on that host and accepting TCP/IP "
        "connections?"
    ),
    "dial tcp 10.0.1.5:5432: i/o timeout",
    "dial tcp 10.0.1.5:5432: connect: connection timed out",
    "Net::OpenTimeout: execution expired",
    (
        "Unable to execute HTTP request: Connect to sqs.eu-west-1.amazonaws.com:443 "
        "failed: connect "
        "timed out"
    ),
    "java.net.SocketTimeoutException: Connect timed out",
    "java.net.http.HttpConnectTimeoutException: HTTP connect timed out",
    "(2003, \"Can't connect to MySQL server on 'db.example' (timed out)\")",
    "ServerSelectionTimeoutError: a.mongodb.net:27017: timed out",
    "KafkaTimeoutError: Failed to update metadata after 60.0 secs.",
    "ORA-12170: TNS:Connect timeout occurred",
    "System.Net.Sockets.SocketException (110): Connection timed out",
    "Error 110 connecting to cache.example:6379. Connection timed out.",
    "HTTP connect timeout occurred after 3.1s",
    "<urlopen error timed out>",
    "Can't reach database server at `orders.example:5432`",
)
NAMELESS = (
    "getaddrinfo ENOTFOUND api.partner.example",
    "java.net.UnknownHostException: api.partner.example",
    "dial tcp: lookup api.partner.example on 169.254.78.1:53: no such host",
    'Could not connect to the endpoint URL: "https://s3.eu-wets-1.amazonaws.com/"',
    "[Errno -2] Name or service not known",
)
NO_RESOLVER = (
    "getaddrinfo EAI_AGAIN db.corp.internal",
    "[Errno -3] Temporary failure in name resolution",
    "dial tcp: lookup db.internal on 10.0.0.2:53: read udp 10.0.1.9:4321: i/o timeout",
)
FAILING = (
    (
        "DatabaseResumingException: The Aurora DB instance db-ABC is resuming after being "
        "auto-paused. Please wait a few seconds and try again."
    ),
    (
        "org.apache.kafka.common.errors.NotLeaderOrFollowerException: For requests intended only "
        "for the leader, this error indicates that the broker is not the current leader."
    ),
    "KafkaJSProtocolError: This server is not the leader for that topic-partition",
    'KafkaError{code=NOT_LEADER_FOR_PARTITION,val=6,str="Broker: Not leader for partition"}',
    "KafkaError{code=COORDINATOR_NOT_AVAILABLE,val=15}",
    "redis.exceptions.BusyLoadingError: Redis is loading the dataset in memory",
    "MongoServerError: not primary: NotWritablePrimary",
    "FATAL: the database system is not yet accepting connections",
    "Database 'orders' on server 'x' is not currently available. Please retry the connection.",
    "read ECONNRESET",
    "socket hang up",
    "OSError: [Errno 116] Stale file handle: '/mnt/tiles/a'",
    "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
    "server closed the connection unexpectedly",
    "FATAL: the database system is shutting down",
    "CircuitBreaker 'psp' is OPEN and does not permit further calls",
    "CLUSTERDOWN Hash slot not served",
    "READONLY You can't write against a read only replica.",
    "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure",
)
NOTHING = (
    "ValueError: 503 apples",
    "got 500 rows",
    "-> 500 items in 12 ms",
    "service counted down",
    "An error occurred (AccessDeniedException) when calling the PutItem operation",
    'FATAL: password authentication failed for user "app"',
    "connect ECONNREFUSED 127.0.0.1:5432",
    'connection to server at "localhost" (127.0.0.1), port 5432 failed: Connection refused',
    "OSError: [Errno 24] Too many open files; ECONNRESET",
    "OSError: [Errno 122] Disk quota exceeded",
    "ResourceNotFoundException: Requested resource not found",
    "TypeError: Cannot read properties of undefined (reading 'amount')",
    "KeyError: 'TABLE'",
    "payment 429 stored",
    "rate limit remaining: 4999",
    "imported 503 orders",
    "client certificate has expired",
    "getaddrinfo ENOTFOUND undefined",
    "KeyError: 'throttled'",
    "OSError: [Errno 11] Resource temporarily unavailable: server",
    'INFO: 1.2.3.4 - "GET /orders HTTP/1.1" 500 Internal Server Error',
)
TABLE = {
    Trouble.THROTTLED: THROTTLED,
    Trouble.EXHAUSTED: EXHAUSTED,
    Trouble.UNREACHABLE: UNREACHABLE,
    Trouble.OVERDUE: OVERDUE,
    Trouble.REFUSED: REFUSED,
    Trouble.NO_ANSWER: NO_ANSWER,
    Trouble.CONNECT_TIMEOUT: CONNECT_TIMEOUT,
    Trouble.NAMELESS: NAMELESS,
    Trouble.NO_RESOLVER: NO_RESOLVER,
    Trouble.FAILING: FAILING,
    None: NOTHING,
}


@pytest.mark.parametrize(
    ("trouble", "text"), [(trouble, text) for trouble, texts in TABLE.items() for text in texts]
)
def test_each_wording_tells_of_its_own_trouble_and_of_no_other(
    trouble: Trouble | None, text: str
) -> None:
    assert trouble_of(text) is trouble


def line(message: str) -> LogLine:
    return LogLine(id="e1", at=START, stream="s", message=message)


@pytest.mark.parametrize(
    ("message", "trouble"),
    [
        ({"level": "error", "msg": "query failed", "err": "read ECONNRESET"}, Trouble.FAILING),
        ({"level": "error", "msg": "no", "error": {"code": "53300"}}, Trouble.EXHAUSTED),
        ({"level": "WARN", "message": "charge failed", "status": 503}, Trouble.REFUSED),
        ({"level": "INFO", "message": "stored", "count": 503}, None),
    ],
)
def test_the_fields_of_an_object_speak_beside_its_words(
    message: dict[str, object], trouble: Trouble | None
) -> None:
    assert trouble_in(line(json.dumps(message))) is trouble


def test_a_text_of_any_length_is_read_and_only_so_far() -> None:
    assert trouble_of("x" * 5000 + " Connection refused") is Trouble.REFUSED
    assert trouble_in(line("x" * 30_000 + " Connection refused")) is None
