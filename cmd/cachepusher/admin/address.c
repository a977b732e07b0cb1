#include "admin/address.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const char *address_path(const char *address)
{
    static const char scheme[] = "unix:";
    return strncmp(address, scheme, strlen(scheme)) == 0 ? address + strlen(scheme) : NULL;
}

bool address_split(const char *address, char host[ADDRESS_HOST_BYTES], const char **port)
{
    static const char usual[] = "127.0.0.1";
    const char *colon = strrchr(address, ':');
    size_t digits = colon != NULL ? strspn(colon + 1, "0123456789") : 0;
    long number = digits > 0 && digits < 6 ? strtol(colon + 1, NULL, 10) : 0;
    if (number < 1 || number > 65535 || colon[1 + digits] != '\0') {
        return false;
    }
    size_t length = (size_t)(colon - address);
    if (length >= 2 && address[0] == '[' && address[length - 1] == ']') {
        address++;
        length -= 2;
    } else if (memchr(address, ':', length) != NULL) {
        return false;
    }
    if (length == 0) {
        address = usual;
        length = strlen(usual);
    }
    if (length >= ADDRESS_HOST_BYTES) {
        return false;
    }
    memcpy(host, address, length);
    host[length] = '\0';
    *port = colon + 1;
    return true;
}
