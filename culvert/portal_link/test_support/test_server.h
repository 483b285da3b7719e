#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// A portal on loopback for tests: plain sockets and a thread of its own, so that it can misbehave in every way.
namespace culvert::portal_link::test {

/// How the server treats one connection.
struct Script {
    /// Sent in answer to the request, then the connection is closed; empty: a proper upgrade.
    std::string http_response;
    /// Never answers the request.
    bool is_silent = false;
    /// Never answers the join.
    bool ignores_join = false;
    /// Bytes (WebSocket frames) sent once the join was answered.
    std::string after_join;
    /// Closes the TCP connection right after `after_join`.
    bool hangs_up = false;
};

/// One WebSocket frame as a server sends it. `opcode` 0 is continuation, 1 text, 2 binary, 8 close, 9 ping.
[[nodiscard]] std::string frame(unsigned opcode, const std::string& payload, bool is_final = true);

/// A self-signed certificate and its key as PEM.
struct Certificate {
    std::string certificate;
    std::string key;
};
/// `subject` as in subjectAltName: "DNS:localhost,IP:127.0.0.1".
[[nodiscard]] Certificate make_certificate(const std::string& subject, bool is_expired = false);

class Server {
public:
    /// Treats each connection as its script says; the last script serves all further ones. With a certificate: TLS.
    explicit Server(std::vector<Script> scripts, std::optional<Certificate> certificate = std::nullopt);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    [[nodiscard]] std::uint16_t port() const;
    /// The HTTP requests so far, as they came.
    [[nodiscard]] std::vector<std::string> requests() const;
    /// The WebSocket messages so far, over all connections; a Close frame is "<close>", a Pong "<pong>".
    [[nodiscard]] std::vector<std::string> messages() const;

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace culvert::portal_link::test
