#include "culvert/resolver/testing/https_server.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <atomic>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "culvert/resolver/testing/servers.h"

namespace culvert::resolver::test {
namespace {

template <typename Write>
std::string to_pem(Write write) {
    BIO* memory = BIO_new(BIO_s_mem());
    write(memory);
    char* text = nullptr;
    const auto size = BIO_get_mem_data(memory, &text);
    std::string copy{text, static_cast<std::size_t>(size)};
    BIO_free(memory);
    return copy;
}

template <typename T, typename Read>
T* from_pem(const std::string& text, Read read) {
    BIO* memory = BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
    T* const result = read(memory, nullptr, nullptr, nullptr);
    BIO_free(memory);
    return result;
}

}  // namespace

Certificate make_certificate(const std::string& names) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("resolver test"), -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    for (const auto& [kind, value] :
         {std::pair{NID_subject_alt_name, names}, {NID_basic_constraints, std::string{"critical,CA:TRUE"}}}) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_sign(certificate, key, EVP_sha256());
    Certificate result{
        .certificate = to_pem([&](BIO* out) { PEM_write_bio_X509(out, certificate); }),
        .key = to_pem([&](BIO* out) { PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr); })};
    X509_free(certificate);
    EVP_PKEY_free(key);
    return result;
}

std::string http_response(const std::string& body, const std::string& content_type, const std::string& status,
                          const std::string& more_headers) {
    return "HTTP/1.1 " + status + "\r\nContent-Type: " + content_type +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + more_headers + "\r\n" + body;
}

class HttpsServer::State {
public:
    State(const Certificate& certificate, Responder responder)
        : responder_{std::move(responder)},
          tls_{SSL_CTX_new(TLS_server_method())},
          listener_{bound_socket(SOCK_STREAM, loopback())} {
        X509* x509 = from_pem<X509>(certificate.certificate, PEM_read_bio_X509);
        EVP_PKEY* key = from_pem<EVP_PKEY>(certificate.key, PEM_read_bio_PrivateKey);
        SSL_CTX_use_certificate(tls_, x509);
        SSL_CTX_use_PrivateKey(tls_, key);
        X509_free(x509);
        EVP_PKEY_free(key);
        ::listen(listener_.get(), 16);
        thread_ = std::thread{[this] { run(); }};
    }
    ~State() {
        stop_ = true;
        thread_.join();
        connections_.clear();
        SSL_CTX_free(tls_);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    [[nodiscard]] std::uint16_t port() const { return local_address(listener_.get()).port; }
    [[nodiscard]] std::vector<std::string> requests() const {
        const std::scoped_lock lock{mutex_};
        return requests_;
    }
    [[nodiscard]] std::size_t connection_count() const { return connection_count_; }

private:
    struct Connection {
        Connection(SSL_CTX* tls, int fd) : socket{fd}, ssl{SSL_new(tls)} {
            SSL_set_fd(ssl, fd);
            SSL_set_accept_state(ssl);
        }
        ~Connection() { SSL_free(ssl); }
        Connection(const Connection&) = delete;
        Connection& operator=(const Connection&) = delete;

        io::FileDescriptor socket;
        SSL* ssl;
        std::string received;
        bool is_over = false;
    };

    void run() {
        while (!stop_) {
            pollfd wait{.fd = listener_.get(), .events = POLLIN, .revents = 0};
            ::poll(&wait, 1, 1);
            const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd >= 0) {
                connections_.emplace_back(tls_, fd);
                ++connection_count_;
            }
            for (auto& connection : connections_) {
                serve(connection);
            }
            connections_.remove_if([](const auto& connection) { return connection.is_over; });
        }
    }

    void serve(Connection& connection) {
        char buffer[4096];
        const int size = SSL_read(connection.ssl, buffer, sizeof buffer);
        if (size <= 0) {
            connection.is_over = SSL_get_error(connection.ssl, size) != SSL_ERROR_WANT_READ;
            return;
        }
        connection.received.append(buffer, static_cast<std::size_t>(size));
        const auto end = connection.received.find("\r\n\r\n");
        if (end == std::string::npos) {
            return;
        }
        const auto request = connection.received.substr(0, end + 4);
        connection.received.erase(0, end + 4);
        {
            const std::scoped_lock lock{mutex_};
            requests_.push_back(request);
        }
        const auto response = responder_(request.substr(0, request.find("\r\n")));
        connection.is_over = response.empty();
        for (std::size_t sent = 0; sent < response.size() && !stop_;) {
            const int count = SSL_write(connection.ssl, response.data() + sent,
                                        static_cast<int>(std::min<std::size_t>(response.size() - sent, 16'384)));
            if (count > 0) {
                sent += static_cast<std::size_t>(count);
            } else if (SSL_get_error(connection.ssl, count) != SSL_ERROR_WANT_WRITE) {
                connection.is_over = true;
                return;
            }
        }
    }

    Responder responder_;
    SSL_CTX* tls_;
    io::FileDescriptor listener_;
    std::list<Connection> connections_;
    std::atomic<std::size_t> connection_count_{0};
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

HttpsServer::HttpsServer(const Certificate& certificate, Responder responder)
    : state_{std::make_unique<State>(certificate, std::move(responder))} {}
HttpsServer::~HttpsServer() = default;

std::uint16_t HttpsServer::port() const {
    return state_->port();
}
std::vector<std::string> HttpsServer::requests() const {
    return state_->requests();
}
std::size_t HttpsServer::connections() const {
    return state_->connection_count();
}

}  // namespace culvert::resolver::test
