/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

#include "common/parse.h"
#include "service/config/config-internal.h"

#define URL_MAX  2048
#define HOST_MAX 253

static bool is_url_character(char c)
{
        return c > ' ' && c < 0x7f && !strchr("\"<>\\^`{|}", c);
}

/* [IPv6], or a name or IPv4 address. */
static bool host_is_valid(const char *host, size_t size)
{
        char text[INET6_ADDRSTRLEN];
        struct in6_addr six;

        if (size >= 2 && host[0] == '[' && host[size - 1] == ']') {
                if (size - 2 >= sizeof text)
                        return false;
                memcpy(text, host + 1, size - 2);
                text[size - 2] = 0;
                return inet_pton(AF_INET6, text, &six) == 1;
        }
        if (size == 0 || size > HOST_MAX || host[0] == '-' || host[0] == '.')
                return false;
        for (size_t i = 0; i < size; i++)
                if (!isascii(host[i]) ||
                        (!isalnum((unsigned char) host[i]) && !strchr("._-", host[i])))
                        return false;
        return true;
}

static bool port_is_valid(const char *port, size_t size)
{
        char text[6];
        uint64_t n;

        if (size == 0 || size >= sizeof text)
                return false;
        memcpy(text, port, size);
        text[size] = 0;
        return parse_u64(text, &n) >= 0 && n >= 1 && n <= UINT16_MAX;
}

static const char *skip_scheme(const char *url)
{
        static const char *const schemes[] = { "http://", "https://" };

        for (size_t i = 0; i < ELEMENTSOF(schemes); i++)
                if (strncasecmp(url, schemes[i], strlen(schemes[i])) == 0)
                        return url + strlen(schemes[i]);
        return NULL;
}

/* The host ends at its port's colon, at the path, or at the end. */
static size_t host_length(const char *authority, size_t size)
{
        const char *end;

        if (size > 0 && authority[0] == '[') {
                end = memchr(authority, ']', size);
                return end ? (size_t) (end - authority) + 1 : size;
        }
        end = memchr(authority, ':', size);
        return end ? (size_t) (end - authority) : size;
}

int config_url_normalize(const char *url, char **ret)
{
        size_t authority_size, host_size, size = strlen(url);
        const char *authority;
        char *copy;

        if (size > URL_MAX)
                return -EINVAL;
        for (size_t i = 0; i < size; i++)
                if (!is_url_character(url[i]))
                        return -EINVAL;

        authority = skip_scheme(url);
        if (!authority || strpbrk(authority, "?#"))
                return -EINVAL;
        authority_size = strcspn(authority, "/");
        if (memchr(authority, '@', authority_size))
                return -EINVAL;
        host_size = host_length(authority, authority_size);
        if (!host_is_valid(authority, host_size))
                return -EINVAL;
        if (host_size < authority_size &&
                (authority[host_size] != ':' ||
                        !port_is_valid(authority + host_size + 1, authority_size - host_size - 1)))
                return -EINVAL;

        while (url[size - 1] == '/')
                size--;
        copy = strndup(url, size);
        if (!copy)
                return -ENOMEM;
        for (char *c = copy; c < copy + (authority - url) + host_size; c++)
                *c = (char) tolower((unsigned char) *c);
        *ret = copy;
        return 0;
}

bool config_url_is_local(const char *url)
{
        static const char *const names[] = { "localhost", "[::1]" };
        static const char domain[] = ".localhost";
        const char *host = skip_scheme(url);
        size_t n;

        if (!host)
                return false;
        n = host_length(host, strcspn(host, "/"));
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (n == strlen(names[i]) && memcmp(host, names[i], n) == 0)
                        return true;
        if (n > strlen(domain) && memcmp(host + n - strlen(domain), domain, strlen(domain)) == 0)
                return true;

        /* 127.0.0.0/8, and no name such as 127.example.org */
        return startswith(host, "127.") && strspn(host, "0123456789.") == n;
}
