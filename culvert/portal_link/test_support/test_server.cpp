#include "culvert/portal_link/test_support/test_server.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "culvert/base/base64.h"
#include "culvert/crypto/hash.h"
#include "culvert/portal_api/codec.h"

namespace culvert::portal_link::test {
namespace {

struct Message {
    unsigned opcode = 0;
    std::string payload;
};

std::string to_pem(int (*write)(BIO*, const void*), const void* object) {
    BIO* memory = BIO_new(BIO_s_mem());
    write(memory, object);
    char* data = nullptr;
    const auto size = BIO_get_mem_data(memory, &data);
    std::string text{data, static_cast<std::size_t>(size)};
    BIO_free(memory);
    return text;
}

std::string accept_key(const std::string& request) {
    static constexpr std::string_view kHeader = "Sec-WebSocket-Key: ";
    const auto at = request.find(kHeader) + kHeader.size();
    const auto key = request.substr(at, request.find("\r\n", at) - at);
    return to_base64(crypto::sha1({as_bytes(key), as_bytes("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")}));
}

/// A TCP connection, with TLS if asked for. Every call gives up once `stop` is set.
class Pipe {
public:
    Pipe(int fd, SSL_CTX* tls, const std::atomic<bool>& stop) : fd_{fd}, stop_{stop} {
        if (tls) {
            ssl_ = SSL_new(tls);
            SSL_set_fd(ssl_, fd_);
            SSL_set_accept_state(ssl_);
        }
    }
    ~Pipe() {
        SSL_free(ssl_);
        ::close(fd_);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    /// Nothing: the connection ended.
    std::optional<char> read_byte() {
        if (next_ == buffer_.size() && !fill()) {
            return std::nullopt;
        }
        return buffer_[next_++];
    }
    void write(const std::string& text) {
        if (ssl_) {
            SSL_write(ssl_, text.data(), static_cast<int>(text.size()));
            return;
        }
        for (std::size_t sent = 0; sent < text.size();) {
            const auto count = ::send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
            if (count <= 0) {
                return;
            }
            sent += static_cast<std::size_t>(count);
        }
    }

private:
    bool fill() {
        buffer_.resize(4096);
        next_ = 0;
        while (!stop_) {
            pollfd poll_fd{.fd = fd_, .events = POLLIN, .revents = 0};
            if ((ssl_ && SSL_pending(ssl_) > 0) || ::poll(&poll_fd, 1, 20) > 0) {
                const auto count = ssl_ ? SSL_read(ssl_, buffer_.data(), static_cast<int>(buffer_.size()))
                                        : static_cast<int>(::recv(fd_, buffer_.data(), buffer_.size(), 0));
                buffer_.resize(static_cast<std::size_t>(std::max(count, 0)));
                return count > 0;
            }
        }
        buffer_.clear();
        return false;
    }

    int fd_;
    const std::atomic<bool>& stop_;
    SSL* ssl_ = nullptr;
    std::string buffer_;
    std::size_t next_ = 0;
};

std::optional<std::string> read_request(Pipe& pipe) {
    std::string request;
    while (!request.ends_with("\r\n\r\n")) {
        const auto byte = pipe.read_byte();
        if (!byte) {
            return std::nullopt;
        }
        request += *byte;
    }
    return request;
}

std::optional<Message> read_message(Pipe& pipe) {
    const auto number = [&](int bytes) -> std::optional<std::size_t> {
        std::size_t value = 0;
        for (int i = 0; i < bytes; ++i) {
            const auto byte = pipe.read_byte();
            if (!byte) {
                return std::nullopt;
            }
            value = value << 8U | static_cast<unsigned char>(*byte);
        }
        return value;
    };
    const auto head = number(2);
    if (!head) {
        return std::nullopt;
    }
    auto size = std::optional{*head & 0x7fU};
    if (*size >= 126) {
        size = number(*size == 126 ? 2 : 8);
    }
    const auto mask = number(4);
    if (!size || !mask) {
        return std::nullopt;
    }
    Message message{.opcode = static_cast<unsigned>(*head >> 8U & 15U), .payload = {}};
    for (std::size_t i = 0; i < *size; ++i) {
        const auto byte = pipe.read_byte();
        if (!byte) {
            return std::nullopt;
        }
        message.payload += static_cast<char>(static_cast<unsigned char>(*byte) ^ (*mask >> (24 - 8 * (i % 4)) & 0xffU));
    }
    return message;
}

}  // namespace

std::string frame(unsigned opcode, const std::string& payload, bool is_final) {
    std::string bytes;
    bytes += static_cast<char>(opcode | (is_final ? 0x80U : 0U));
    const auto append = [&](int count) {
        for (int shift = 8 * (count - 1); shift >= 0; shift -= 8) {
            bytes += static_cast<char>(payload.size() >> static_cast<unsigned>(shift) & 0xffU);
        }
    };
    if (payload.size() < 126) {
        append(1);
    } else if (payload.size() < 65536) {
        bytes += static_cast<char>(126);
        append(2);
    } else {
        bytes += static_cast<char>(127);
        append(8);
    }
    return bytes + payload;
}

Certificate make_certificate(const std::string& subject, bool is_expired) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
    X509_gmtime_adj(X509_getm_notAfter(certificate), is_expired ? -3600 : 3600);
    X509_set_pubkey(certificate, key);
    auto* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("Test portal"), -1, -1,
                               0);
    X509_set_issuer_name(certificate, name);
    auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, subject.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate, key, EVP_sha256());

    Certificate result;
    result.certificate =
        to_pem([](BIO* out, const void* object) { return PEM_write_bio_X509(out, static_cast<const X509*>(object)); },
               certificate);
    result.key = to_pem(
        [](BIO* out, const void* object) {
            return PEM_write_bio_PrivateKey(out, static_cast<const EVP_PKEY*>(object), nullptr, nullptr, 0, nullptr,
                                            nullptr);
        },
        key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return result;
}

class Server::State {
public:
    State(std::vector<Script> scripts, const std::optional<Certificate>& certificate) : scripts_{std::move(scripts)} {
        if (certificate) {
            use(*certificate);
        }
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 8) != 0 ||
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
            throw std::runtime_error{"cannot listen on loopback"};
        }
        port = ntohs(address.sin_port);
        thread_ = std::thread{[this] { serve(); }};
    }
    ~State() {
        stop_ = true;
        thread_.join();
        ::close(listener_);
        SSL_CTX_free(tls_);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    std::uint16_t port = 0;
    mutable std::mutex mutex;
    std::vector<std::string> requests;
    std::vector<std::string> messages;

private:
    void use(const Certificate& certificate) {
        tls_ = SSL_CTX_new(TLS_server_method());
        BIO* memory = BIO_new_mem_buf(certificate.certificate.data(), -1);
        X509* x509 = PEM_read_bio_X509(memory, nullptr, nullptr, nullptr);
        BIO_free(memory);
        memory = BIO_new_mem_buf(certificate.key.data(), -1);
        EVP_PKEY* key = PEM_read_bio_PrivateKey(memory, nullptr, nullptr, nullptr);
        BIO_free(memory);
        SSL_CTX_use_certificate(tls_, x509);
        SSL_CTX_use_PrivateKey(tls_, key);
        X509_free(x509);
        EVP_PKEY_free(key);
    }

    void serve() {
        std::size_t number = 0;
        while (!stop_) {
            pollfd poll_fd{.fd = listener_, .events = POLLIN, .revents = 0};
            if (::poll(&poll_fd, 1, 20) <= 0) {
                continue;
            }
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd >= 0) {
                Pipe pipe{fd, tls_, stop_};
                serve(pipe, scripts_[std::min(number++, scripts_.size() - 1)]);
            }
        }
    }

    void serve(Pipe& pipe, const Script& script) {
        const auto request = read_request(pipe);
        if (!request) {
            return;
        }
        remember(requests, *request);
        if (script.is_silent) {
            pipe.read_byte();
            return;
        }
        if (!script.http_response.empty()) {
            pipe.write(script.http_response);
            return;
        }
        pipe.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
            accept_key(*request) + "\r\n\r\n");
        while (const auto message = read_message(pipe)) {
            if (!answer(pipe, script, *message)) {
                return;
            }
        }
    }

    /// Returns whether the connection goes on.
    bool answer(Pipe& pipe, const Script& script, const Message& message) {
        if (message.opcode == 8) {
            remember(messages, "<close>");
            pipe.write(frame(8, message.payload));
            return false;
        }
        if (message.opcode == 10) {
            remember(messages, "<pong>");
            return true;
        }
        remember(messages, message.payload);
        const auto decoded =
            portal_api::decode_from_device(portal_api::Role::kClient, portal_api::Dialect::kV1, message.payload);
        const auto* join = decoded ? std::get_if<portal_api::JoinFrame>(&*decoded) : nullptr;
        if (join && !script.ignores_join) {
            pipe.write(frame(1, portal_api::encode_ok_reply(join->topic, join->ref)) + script.after_join);
            return !script.hangs_up;
        }
        return true;
    }

    void remember(std::vector<std::string>& list, const std::string& text) {
        const std::scoped_lock lock{mutex};
        list.push_back(text);
    }

    std::vector<Script> scripts_;
    SSL_CTX* tls_ = nullptr;
    int listener_ = -1;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

Server::Server(std::vector<Script> scripts, std::optional<Certificate> certificate)
    : state_{std::make_unique<State>(std::move(scripts), certificate)} {}

Server::~Server() = default;

std::uint16_t Server::port() const {
    return state_->port;
}

std::vector<std::string> Server::requests() const {
    const std::scoped_lock lock{state_->mutex};
    return state_->requests;
}

std::vector<std::string> Server::messages() const {
    const std::scoped_lock lock{state_->mutex};
    return state_->messages;
}

}  // namespace culvert::portal_link::test
