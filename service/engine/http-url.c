/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <strings.h>

#include "service/engine/http.h"

#define HOST_MAX 255

/* Where the parts of an URL are; nothing is decoded. */
typedef struct UrlParts {
        size_t scheme; /* length, with "://"; 0 = none */
        const char *host;
        size_t host_size; /* with [] and without the port */
        const char *authority_end, *path_end;
} UrlParts;

static void url_split(const char *url, UrlParts *ret)
{
        const char *p = strstr(url, "://"), *end, *at, *host, *port;

        *ret = (UrlParts){ .scheme = p ? (size_t) (p + 3 - url) : 0 };

        host = url + ret->scheme;
        end = host + strcspn(host, "/?#\\");
        at = memrchr(host, '@', end - host);
        if (at)
                host = at + 1;

        port = *host == '[' ? memchr(host, ']', end - host) : NULL;
        port = memchr(port ? port : host, ':', end - (port ? port : host));
        ret->host = host;
        ret->host_size = (port ? port : end) - host;
        ret->authority_end = end;
        ret->path_end = end + strcspn(end, "?#");
}

/* Control characters would be obeyed by the terminal that shows the address; what is not ASCII is
 * in no address, and may be no UTF-8: a server chooses where it redirects to. */
static int url_compose(const char *url, const UrlParts *parts, const char *end, char **ret)
{
        char *text, *q;

        text = malloc(parts->scheme + (end - parts->host) + 1);
        if (!text)
                return -ENOMEM;

        q = mempcpy(text, url, parts->scheme);
        q = mempcpy(q, parts->host, end - parts->host);
        *q = 0;
        for (q = text; *q; q++)
                if ((unsigned char) *q < ' ' || (unsigned char) *q >= 0x7f)
                        *q = '?';
        *ret = text;
        return 0;
}

int http_url_display(const char *url, char **ret)
{
        UrlParts parts;

        url_split(url, &parts);
        return url_compose(url, &parts, parts.path_end, ret);
}

int http_url_origin(const char *url, char **ret)
{
        UrlParts parts;

        url_split(url, &parts);
        return url_compose(url, &parts, parts.authority_end, ret);
}

bool http_url_is_loopback(const char *url)
{
        char host[HOST_MAX + 1];
        struct in6_addr six;
        struct in_addr four;
        UrlParts parts;
        size_t n;

        url_split(url, &parts);
        n = parts.host_size;
        if (n == 0 || n > HOST_MAX)
                return false;
        memcpy(host, parts.host, n);
        host[n] = 0;

        if (host[0] == '[') {
                host[strcspn(host, "%]")] = 0;
                if (inet_pton(AF_INET6, host + 1, &six) != 1)
                        return false;
                if (IN6_IS_ADDR_V4MAPPED(&six))
                        return six.s6_addr[12] == 127;
                return IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_UNSPECIFIED(&six);
        }

        if (host[n - 1] == '.')
                host[--n] = 0;
        if (strcasecmp(host, "localhost") == 0)
                return true;
        if (n > strlen(".localhost") &&
                strcasecmp(host + n - strlen(".localhost"), ".localhost") == 0)
                return true;

        /* The short forms too (127.1), which libcurl understands. 0.0.0.0 is this machine. */
        if (inet_aton(host, &four) == 0)
                return false;
        return ntohl(four.s_addr) >> 24 == 127 || four.s_addr == 0;
}
