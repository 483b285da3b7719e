#include "culvert/resolver/host_queries.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "culvert/dns/constants.h"
#include "culvert/io/socket_address.h"
#include "culvert/observability/log.h"
#include "culvert/resolver/constants.h"

namespace culvert::resolver {
namespace {

constexpr log::Logger kLog{"resolver"};

/// From one socket, before others have their turn.
constexpr int kDatagramsPerTurn = 8;

bool is_temporary(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace

HostQueries::HostQueries(boost::asio::io_context& context, SocketMark mark, QueryObserver observer)
    : mark_{mark},
      observer_{std::move(observer)},
      buffer_(dns::kMaxTcpMessage),
      descriptors_{context, [this](int fd, bool, bool is_writable) { handle_ready(fd, is_writable); }} {}

void HostQueries::ask(dns::AskId id, const net::SocketAddress& server, dns::Transport transport, ByteSpan message) {
    stop(id);
    if (queries_.size() >= kMaxHostQueries || message.size() < dns::Message::kHeaderSize ||
        message.size() > dns::kMaxTcpMessage) {
        kLog.debug("Not asking: too many queries, or no message", log::field("open", queries_.size()));
        return observer_.on_failure(id);
    }
    Query query{.transport = transport, .wire_id = load_be<std::uint16_t>(message)};
    if (!start(query, server, message)) {
        kLog.debug("Cannot ask name server", log::field("server", server), log::field("error_number", errno));
        return observer_.on_failure(id);
    }
    const int fd = query.socket.get();
    by_descriptor_.emplace(fd, id);
    queries_.emplace(id, std::move(query));
    const bool is_udp = transport == dns::Transport::kUdp;
    descriptors_.watch(fd, is_udp, !is_udp);
}

bool HostQueries::start(Query& query, const net::SocketAddress& server, ByteSpan message) {
    const bool is_udp = query.transport == dns::Transport::kUdp;
    query.socket = io::FileDescriptor{::socket(server.is_v4() ? AF_INET : AF_INET6,
                                               (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    const int fd = query.socket.get();
    if (!query.socket || !set_mark(fd, mark_)) {
        return false;
    }
    sockaddr_storage address{};
    const auto size = io::to_sockaddr(server, address);
    if (!is_udp) {
        constexpr int kOn = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof kOn);
        query.unsent = tcp::with_length(message);
    }
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 && (is_udp || errno != EINPROGRESS)) {
        return false;
    }
    return !is_udp || ::send(fd, message.data(), message.size(), MSG_NOSIGNAL) == std::ssize(message);
}

void HostQueries::stop(dns::AskId id) {
    if (const auto entry = queries_.find(id); entry != queries_.end()) {
        close(entry);
    }
}

void HostQueries::handle_ready(int fd, bool is_writable) {
    const auto id = by_descriptor_.at(fd);
    const auto entry = queries_.find(id);
    if (entry->second.transport == dns::Transport::kUdp) {
        receive_datagrams(id);
    } else if (is_writable) {
        send_stream(entry);
    } else {
        receive_stream(entry);
    }
}

void HostQueries::receive_datagrams(dns::AskId id) {
    for (int i = 0; i < kDatagramsPerTurn; ++i) {
        const auto entry = queries_.find(id);
        if (entry == queries_.end()) {
            return;  // the one before was good enough
        }
        const auto received = ::recv(entry->second.socket.get(), buffer_.data(), buffer_.size(), 0);
        if (received < 0) {
            return is_temporary(errno) ? void() : fail(entry);
        }
        const auto message = ByteSpan{buffer_}.first(static_cast<std::size_t>(received));
        if (dns::is_response_to(message, entry->second.wire_id)) {
            if (++entry->second.responses > kMaxResponses) {
                return fail(entry);
            }
            observer_.on_response(id, to_bytes(message));
        }
    }
}

void HostQueries::send_stream(Entry entry) {
    auto& query = entry->second;
    const int fd = query.socket.get();
    if (!query.is_connected) {
        int error = 0;
        socklen_t size = sizeof error;
        if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
            return fail(entry);
        }
        query.is_connected = true;
    }
    const auto sent = ::send(fd, query.unsent.data(), query.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0) {
        return is_temporary(errno) ? void() : fail(entry);
    }
    query.unsent.erase(query.unsent.begin(), query.unsent.begin() + sent);
    if (query.unsent.empty()) {
        descriptors_.watch(fd, true, false);
    }
}

void HostQueries::receive_stream(Entry entry) {
    auto& query = entry->second;
    const auto received = ::recv(query.socket.get(), buffer_.data(), buffer_.size(), 0);
    if (received <= 0) {
        return received < 0 && is_temporary(errno) ? void() : fail(entry);
    }
    std::size_t taken = 0;
    auto message = query.reader.read(ByteSpan{buffer_}.first(static_cast<std::size_t>(received)), taken);
    if (query.reader.is_broken() || (message && !dns::is_response_to(*message, query.wire_id))) {
        return fail(entry);
    }
    if (message) {
        const auto id = entry->first;
        close(entry);
        observer_.on_response(id, *std::move(message));
    }
}

void HostQueries::fail(Entry entry) {
    const auto id = entry->first;
    close(entry);
    observer_.on_failure(id);
}

void HostQueries::close(Entry entry) {
    const int fd = entry->second.socket.get();
    descriptors_.forget(fd);
    by_descriptor_.erase(fd);
    queries_.erase(entry);
}

}  // namespace culvert::resolver
