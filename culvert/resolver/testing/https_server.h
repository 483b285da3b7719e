#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

/// A server on loopback for tests, with a thread of its own. It speaks HTTP/1.1 as far as the test says.
namespace culvert::resolver::test {

/// A self-signed certificate and its key as PEM. `names` as in subjectAltName: "DNS:doh.test,IP:127.0.0.1".
struct Certificate {
    std::string certificate;
    std::string key;
};
[[nodiscard]] Certificate make_certificate(const std::string& names);

class HttpsServer {
public:
    /// Makes the whole response, headers included, from the request's first line. Nothing: the connection ends. Called
    /// on the server's thread.
    using Responder = std::function<std::string(const std::string& request_line)>;

    HttpsServer(const Certificate& certificate, Responder responder);
    ~HttpsServer();
    HttpsServer(const HttpsServer&) = delete;
    HttpsServer& operator=(const HttpsServer&) = delete;

    [[nodiscard]] std::uint16_t port() const;
    /// Whole requests so far.
    [[nodiscard]] std::vector<std::string> requests() const;
    /// TCP connections so far, with TLS or without.
    [[nodiscard]] std::size_t connections() const;

private:
    class State;
    std::unique_ptr<State> state_;
};

/// "HTTP/1.1 200 OK" with everything that belongs to it.
[[nodiscard]] std::string http_response(const std::string& body, const std::string& content_type,
                                        const std::string& status = "200 OK", const std::string& more_headers = "");

}  // namespace culvert::resolver::test
