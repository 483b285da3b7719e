#pragma once

#include <cstddef>
#include <map>
#include <optional>

#include "culvert/base/bytes.h"
#include "culvert/dns/message.h"
#include "culvert/dns/stub_io.h"
#include "culvert/io/file_descriptor.h"
#include "culvert/net/socket_address.h"
#include "culvert/resolver/descriptor_set.h"
#include "culvert/resolver/query_observer.h"
#include "culvert/resolver/socket_mark.h"
#include "culvert/tcp/message_reader.h"

namespace culvert::resolver {

/// Asks name servers on the host's network, each query from a socket of its own (spec/dns.md section 7.2). So its port
/// is one that nobody can guess, and the kernel passes on only what the server itself sends. Everything happens on the
/// thread that runs the context.
///
/// How long to wait is the asker's business. What has another id than the query is ignored over UDP, where anybody can
/// send it, and a failure over TCP.
class HostQueries {
public:
    HostQueries(boost::asio::io_context& context, SocketMark mark, QueryObserver observer);

    /// Too many open queries, or one that cannot be sent, is a failure at once. Over UDP the query is open until stop()
    /// or a failure, which is also kMaxResponses responses that nobody wanted; over TCP it ends with the response.
    void ask(dns::AskId id, const net::SocketAddress& server, dns::Transport transport, ByteSpan message);
    /// Nobody is told of it any more.
    void stop(dns::AskId id);

    /// Queries that are open.
    [[nodiscard]] std::size_t size() const { return queries_.size(); }

private:
    struct Query {
        io::FileDescriptor socket;
        dns::Transport transport = dns::Transport::kUdp;
        dns::MessageId wire_id = 0;
        unsigned responses = 0;
        // TCP
        Bytes unsent;
        bool is_connected = false;
        tcp::MessageReader reader;
    };
    using Entry = std::map<dns::AskId, Query>::iterator;

    [[nodiscard]] bool start(Query& query, const net::SocketAddress& server, ByteSpan message);
    void handle_ready(int fd, bool is_writable);
    void receive_datagrams(dns::AskId id);
    void send_stream(Entry entry);
    void receive_stream(Entry entry);
    void fail(Entry entry);
    void close(Entry entry);

    SocketMark mark_;
    QueryObserver observer_;
    Bytes buffer_;  // shared: what is received is passed on at once
    std::map<dns::AskId, Query> queries_;
    std::map<int, dns::AskId> by_descriptor_;
    DescriptorSet descriptors_;
};

}  // namespace culvert::resolver
