/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/http-private.h"

#define HTTP_REASON_MAX 160

/* libcurl's texts may quote what the peer sent. */
static const char *transfer_reason(HttpTransfer *t)
{
        for (char *p = t->error; *p; p++)
                if ((unsigned char) *p < ' ' || (unsigned char) *p >= 0x7f)
                        *p = '?';
        t->error[HTTP_REASON_MAX] = 0;
        return t->error[0] ? t->error : "no reason given";
}

/* OpenSSL's X509_V_ERR_* numbers: part of its ABI, and of no use to us otherwise. */
enum {
        VERIFY_NO_ISSUER = 2,
        VERIFY_NOT_YET_VALID = 9,
        VERIFY_EXPIRED = 10,
        VERIFY_SELF_SIGNED = 18,
        VERIFY_SELF_SIGNED_IN_CHAIN = 19,
        VERIFY_NO_ISSUER_LOCALLY = 20,
        VERIFY_NO_LEAF_SIGNATURE = 21,
        VERIFY_REVOKED = 23,
        VERIFY_WRONG_HOST = 62,
};

/* It has not even been sent to its end. */
static bool is_unread(const HttpTransfer *t)
{
        return !t->headers_told && t->body_sent < t->body.size;
}

static void transfer_fail_certificate(HttpTransfer *t)
{
        const char *what, *next, *text = t->error;
        long verify = 0;

        (void) curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &verify);

        if (verify == VERIFY_EXPIRED || strcasestr(text, "expired")) {
                what = "certificate has expired";
                next = "Renew it on the server, or check this machine's clock.";
        } else if (verify == VERIFY_NOT_YET_VALID) {
                what = "certificate is not valid yet";
                next = "Check this machine's clock.";
        } else if (verify == VERIFY_REVOKED) {
                what = "certificate was revoked";
                next = "Ask whoever runs the server.";
        } else if (verify == VERIFY_WRONG_HOST || strcasestr(text, "target host name") ||
                strcasestr(text, "not match")) {
                what = "certificate is for another host";
                next = "Use the host's name from its certificate in Url=.";
        } else if (verify == VERIFY_NO_ISSUER || verify == VERIFY_SELF_SIGNED ||
                verify == VERIFY_SELF_SIGNED_IN_CHAIN || verify == VERIFY_NO_ISSUER_LOCALLY ||
                verify == VERIFY_NO_LEAF_SIGNATURE) {
                what = "certificate is from an unknown authority";
                next = "For a private authority, name its certificate with CaFile=.";
        } else {
                (void) failure_set(&t->result.failure, FAILURE_ENGINE_UNREACHABLE,
                        "cannot trust %s: its certificate was refused (%s). Ask whoever runs the "
                        "server.",
                        t->origin, transfer_reason(t));
                return;
        }
        (void) failure_set(&t->result.failure, FAILURE_ENGINE_UNREACHABLE,
                "cannot trust %s: its %s. %s", t->origin, what, next);
}

/* libcurl names the host to which it wanted to connect; where that is not the address's own, it was
 * a proxy, perhaps one that only the environment names. */
static bool was_proxy(const HttpTransfer *t)
{
        _cleanup_free_ char *host = NULL;
        const char *name = strstr(t->error, "connect to ");

        if (!name)
                return false;
        name += strlen("connect to ");
        host = strndup(name, strcspn(name, " "));
        return !isempty(host) && !strcasestr(t->origin, host);
}

static void transfer_fail_proxy(HttpTransfer *t, const char *what)
{
        (void) failure_set(&t->result.failure, FAILURE_ENGINE_UNREACHABLE,
                "cannot reach %s: its proxy does not answer (%s). Check Proxy=, or http_proxy and "
                "no_proxy in the environment.",
                t->origin, what);
}

static void transfer_fail_connect(HttpTransfer *t)
{
        const char *what, *next;
        long error = 0;

        if (was_proxy(t)) {
                transfer_fail_proxy(t, transfer_reason(t));
                return;
        }
        (void) curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &error);

        switch (error) {
        case ECONNREFUSED:
                what = "connection refused";
                next = "Is it running?";
                break;
        case ENETUNREACH:
        case EHOSTUNREACH:
        case ENETDOWN:
                what = "there is no way to that host";
                next = "Is the network up?";
                break;
        case EACCES:
        case EPERM:
                what = "a firewall on this machine forbids it";
                next = "Allow the address, or choose another engine.";
                break;
        default:
                what = transfer_reason(t);
                next = "Check Url= and whether it is running.";
        }
        (void) failure_set(&t->result.failure, FAILURE_ENGINE_UNREACHABLE,
                "cannot reach %s: %s. %s", t->origin, what, next);
}

void transfer_fail(HttpTransfer *t, CURLcode code)
{
        Failure *f = &t->result.failure;

        if (failure_is_set(f))
                return;

        switch (code) {
        case CURLE_COULDNT_CONNECT:
                transfer_fail_connect(t);
                return;
        case CURLE_PEER_FAILED_VERIFICATION:
                transfer_fail_certificate(t);
                return;
        case CURLE_OUT_OF_MEMORY:
                /* What libcurl says of a line over 100 KiB too, before we see it. */
                if (t->phase == PHASE_FIRST_BYTE && !t->headers_told) {
                        (void) failure_set(f, FAILURE_ENGINE_FAILED,
                                "%s sent a header that is too long, or no memory is left. Is that "
                                "the right address?",
                                t->origin);
                        return;
                }
                (void) failure_set(f, FAILURE_NO_MEMORY, NULL);
                return;
        case CURLE_COULDNT_RESOLVE_HOST:
                (void) failure_set(f, FAILURE_ENGINE_UNREACHABLE,
                        "cannot reach %s: nobody knows that host's name. Check Url= and the network.",
                        t->origin);
                return;
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_PROXY:
                transfer_fail_proxy(t, transfer_reason(t));
                return;
        case CURLE_OPERATION_TIMEDOUT:
                (void) failure_set(f, FAILURE_ENGINE_UNREACHABLE,
                        "cannot reach %s: no connection within the limit. Is it running?",
                        t->origin);
                return;
        case CURLE_URL_MALFORMAT:
                (void) failure_set(f, FAILURE_CONFIGURATION,
                        "%s is no address that can be used. Correct Url=.", t->origin);
                return;
        case CURLE_SSL_CACERT_BADFILE:
                (void) failure_set(f, FAILURE_CONFIGURATION,
                        "cannot check the certificate of %s: the file of authorities cannot be read. "
                        "Check CaFile=, or install ca-certificates.",
                        t->origin);
                return;
        case CURLE_SSL_CONNECT_ERROR:
                (void) failure_set(f, FAILURE_ENGINE_UNREACHABLE,
                        "no secure connection to %s: %s. Does that port speak https?", t->origin,
                        transfer_reason(t));
                return;
        case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: the scheme was checked before */
        case CURLE_WEIRD_SERVER_REPLY:
                (void) failure_set(f, FAILURE_ENGINE_FAILED,
                        "%s does not speak HTTP. Check the port in Url=.", t->origin);
                return;
        case CURLE_GOT_NOTHING:
                (void) failure_set(f, FAILURE_ENGINE_UNREACHABLE,
                        "%s closed the connection without an answer. Try again; its log may say more.",
                        t->origin);
                return;
        case CURLE_PARTIAL_FILE:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
                if (is_unread(t))
                        (void) failure_set(f, FAILURE_ENGINE_UNREACHABLE,
                                "%s closed the connection before it had read the question of "
                                "%.3g MiB (%s). If it takes less at once, raise its limit, or ask "
                                "for less.",
                                t->origin, (double) t->body.size / MIB(1), transfer_reason(t));
                else
                        (void) failure_set(f, FAILURE_ENGINE_UNREACHABLE,
                                "the connection to %s broke%s (%s). Try again; its log may say "
                                "more.",
                                t->origin,
                                t->result.body_began ? " in the middle of the answer" : "",
                                transfer_reason(t));
                return;
        default:
                (void) failure_set(f, FAILURE_ENGINE_UNREACHABLE,
                        "the exchange with %s failed: %s. Check Url= and try again.", t->origin,
                        transfer_reason(t));
        }
}

/* A limit passed. */
void transfer_fail_limit(HttpTransfer *t)
{
        double seconds = (double) t->limits[t->phase] / (double) USEC_PER_SEC;
        Failure *f = &t->result.failure;

        switch (t->phase) {
        case PHASE_CONNECT:
                (void) failure_set(f, FAILURE_ENGINE_UNREACHABLE,
                        "cannot reach %s: no connection within %.3g s. Is it running, is the network "
                        "up?",
                        t->origin, seconds);
                break;
        case PHASE_FIRST_BYTE:
                if (is_unread(t))
                        (void) failure_set(f, FAILURE_ENGINE_STALLED,
                                "%s has not read the whole question, and nothing of it for %.3g s. "
                                "A slower one needs a larger FirstByteTimeoutSec=.",
                                t->origin, seconds);
                else
                        (void) failure_set(f, FAILURE_ENGINE_STALLED,
                                "%s took the question and sent nothing for %.3g s. A model that "
                                "loads or thinks longer needs a larger FirstByteTimeoutSec=.",
                                t->origin, seconds);
                break;
        case PHASE_STREAM:
                (void) failure_set(f, FAILURE_ENGINE_STALLED,
                        "%s went silent for %.3g s in the middle of its answer. Try 'continue', or a "
                        "larger StallTimeoutSec=.",
                        t->origin, seconds);
                break;
        case _PHASE_MAX:
                break;
        }
}

void transfer_fail_redirect(HttpTransfer *t)
{
        _cleanup_free_ char *where = NULL;

        if (t->location && strstr(t->location, "://"))
                (void) http_url_origin(t->location, &where);
        (void) failure_set(&t->result.failure, FAILURE_ENGINE_REFUSED,
                "%s sends us on to %.*s, which is not followed. If that is right, set Url= to it.",
                t->origin, HTTP_REASON_MAX, where ? where : "another path");
}
