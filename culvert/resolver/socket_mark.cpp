#include "culvert/resolver/socket_mark.h"

#include <sys/socket.h>

namespace culvert::resolver {

bool set_mark(int fd, const SocketMark& mark) {
    return !mark || ::setsockopt(fd, SOL_SOCKET, SO_MARK, &*mark, sizeof *mark) == 0;
}

}  // namespace culvert::resolver
