#include "culvert/flow_upload/curl_transport.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "culvert/flow_upload/spool.h"
#include "culvert/flow_upload/test_folder.h"
#include "culvert/flow_upload/uploader.h"
#include "culvert/observability/log_capture.h"

// Uploads over TLS, to a server with a certificate of an authority of our own.
namespace culvert::flow_upload {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

template <auto kFree>
struct Free {
    template <typename T>
    void operator()(T* object) const {
        kFree(object);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;

/// Signs with its own key, or with that of an authority.
struct Identity {
    Key key{EVP_EC_gen("P-256")};
    Certificate certificate{X509_new()};

    static Identity authority(const std::string& name) {
        Identity made;
        made.fill(name, "critical,CA:TRUE", NID_basic_constraints, 3600);
        X509_set_issuer_name(made.certificate.get(), X509_get_subject_name(made.certificate.get()));
        X509_sign(made.certificate.get(), made.key.get(), EVP_sha256());
        return made;
    }
    static Identity server(const std::string& names, const Identity& authority, long seconds_left = 3600) {
        Identity made;
        made.fill("logs", names, NID_subject_alt_name, seconds_left);
        X509_set_issuer_name(made.certificate.get(), X509_get_subject_name(authority.certificate.get()));
        X509_sign(made.certificate.get(), authority.key.get(), EVP_sha256());
        return made;
    }

    void write_certificate(const std::filesystem::path& path) const {
        auto* const file = std::fopen(path.c_str(), "w");
        PEM_write_X509(file, certificate.get());
        std::fclose(file);
    }

private:
    void fill(const std::string& name, const std::string& extension_value, int extension_kind, long seconds_left) {
        auto* const x509 = certificate.get();
        X509_set_version(x509, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
        X509_gmtime_adj(X509_getm_notBefore(x509), -7200);
        X509_gmtime_adj(X509_getm_notAfter(x509), seconds_left);
        X509_set_pubkey(x509, key.get());
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
        auto* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, extension_kind, extension_value.c_str());
        X509_add_ext(x509, extension, -1);
        X509_EXTENSION_free(extension);
    }
};

/// Answers each request over TLS with 200.
class TlsServer {
public:
    explicit TlsServer(const Identity& identity) : tls_{SSL_CTX_new(TLS_server_method())} {
        SSL_CTX_use_certificate(tls_.get(), identity.certificate.get());
        SSL_CTX_use_PrivateKey(tls_.get(), identity.key.get());
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 8) != 0 ||
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
            throw std::runtime_error{"cannot listen on loopback"};
        }
        port_ = ntohs(address.sin_port);
        thread_ = std::thread{[this] { serve(); }};
    }
    ~TlsServer() {
        is_ending_ = true;
        thread_.join();
        ::close(listener_);
    }
    TlsServer(const TlsServer&) = delete;
    TlsServer& operator=(const TlsServer&) = delete;

    [[nodiscard]] Destination destination(const std::string& host = "logs.example") const {
        return {"https://" + host + ":" + std::to_string(port_) + "/ingestion/flow_logs", host, port_};
    }
    /// Each as it came, headers and body.
    [[nodiscard]] std::vector<std::string> requests() const {
        const std::lock_guard lock{mutex_};
        return requests_;
    }
    [[nodiscard]] int connections() const { return connections_; }

private:
    void serve() {
        while (!is_ending_) {
            pollfd waiting{listener_, POLLIN, 0};
            if (::poll(&waiting, 1, 20) != 1) {
                continue;
            }
            const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            const timeval patience{.tv_sec = 10, .tv_usec = 0};
            ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
            ++connections_;
            const std::unique_ptr<SSL, Free<SSL_free>> stream{SSL_new(tls_.get())};
            SSL_set_fd(stream.get(), socket);
            if (SSL_accept(stream.get()) == 1) {
                answer(stream.get());
            }
            ::close(socket);
        }
    }

    void answer(SSL* stream) {
        std::string request;
        std::array<char, 4096> piece{};
        for (int size = 0; !is_complete(request) && (size = SSL_read(stream, piece.data(), piece.size())) > 0;) {
            request.append(piece.data(), static_cast<std::size_t>(size));
        }
        if (!request.empty()) {
            const std::lock_guard lock{mutex_};
            requests_.push_back(request);
        }
        static constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        SSL_write(stream, kAnswer.data(), static_cast<int>(kAnswer.size()));
        SSL_shutdown(stream);
    }

    static bool is_complete(const std::string& request) {
        static constexpr std::string_view kLength = "Content-Length: ";
        const auto end = request.find("\r\n\r\n");
        const auto length = request.find(kLength);
        return end != std::string::npos && length != std::string::npos &&
               request.size() >= end + 4 + std::stoul(request.substr(length + kLength.size()));
    }

    std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>> tls_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<bool> is_ending_ = false;
    std::atomic<int> connections_ = 0;
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::thread thread_;
};

/// The machine trusts one authority, ours.
class CurlTransportTest : public testing::Test {
protected:
    CurlTransportTest() {
        std::signal(SIGPIPE, SIG_IGN);
        authority.write_certificate(folder.path() / "authority.pem");
        trust(folder.path() / "authority.pem");
    }
    ~CurlTransportTest() override {
        ::unsetenv("SSL_CERT_FILE");
        ::unsetenv("SSL_CERT_DIR");
    }
    void trust(const std::filesystem::path& file) {
        ::setenv("SSL_CERT_FILE", file.c_str(), 1);
        ::setenv("SSL_CERT_DIR", (folder.path() / "nothing").c_str(), 1);
    }

    test::Folder folder;
    Identity authority = Identity::authority("our authority");
    Identity stranger = Identity::authority("another authority");
    CurlTransport transport{
        {.mark = {},
         .look_up = [](const std::string&) { return std::vector{*net::IpAddress::parse("127.0.0.1")}; },
         .attend = [] { return true; }}};
};

TEST_F(CurlTransportTest, PostsToAServerOfATrustedAuthority) {
    const TlsServer server{Identity::server("DNS:logs.example", authority)};

    const auto answer = transport.post(server.destination(), "the-token", R"({"flow_logs":[]})");

    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200U) << answer->error;
    EXPECT_FALSE(answer->is_untrusted);
    ASSERT_EQ(server.requests().size(), 1U);
    EXPECT_THAT(server.requests()[0], HasSubstr("POST /ingestion/flow_logs HTTP/1.1\r\n"));
    EXPECT_THAT(server.requests()[0], HasSubstr("Authorization: Bearer the-token\r\n"));
    EXPECT_THAT(server.requests()[0], EndsWith("\r\n\r\n{\"flow_logs\":[]}"));
}

TEST_F(CurlTransportTest, TellsAServerThatProvesNothingNothing) {
    const auto expect_untrusted = [&](const Identity& identity, std::string_view what) {
        const TlsServer server{identity};
        const auto answer = transport.post(server.destination(), "the-token", R"({"flow_logs":[]})");
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->status, 0U) << what;
        EXPECT_TRUE(answer->is_untrusted) << what << ": " << answer->error;
        EXPECT_EQ(server.connections(), 1) << what;
        EXPECT_THAT(server.requests(), IsEmpty()) << what;
    };
    expect_untrusted(Identity::server("DNS:logs.example", stranger), "another authority");
    expect_untrusted(Identity::server("DNS:other.example", authority), "another name");
    expect_untrusted(Identity::server("DNS:logs.example", authority, -3600), "has expired");
}

TEST_F(CurlTransportTest, IsNotTrustedByWhatLibcurlWasBuiltWith) {
    trust(folder.path() / "nothing.pem");
    const TlsServer server{Identity::server("DNS:logs.example", authority)};

    EXPECT_TRUE(transport.post(server.destination(), "the-token", "{}")->is_untrusted);
    EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(CurlTransportTest, NothingIsLostAndLittleSaidUntilTheServerIsTrusted) {
    const UnixSeconds now{1'787'393'702s};
    auto spool = *Spool::open(folder.path() / "spool", {}, now);
    const Spool::Key key{portal_api::FlowRole::kInitiator, test::uuid(1)};
    ASSERT_EQ(spool.add(key, test::token(1, now + 1h), now + 1h, {R"({"n":1})", R"({"n":2})"}), 0U);
    Uploader uploader{spool, transport};
    std::vector<std::string> said;
    const log::CaptureScope capture{log::Level::kWarn,
                                    [&](log::Level, std::string_view, std::string_view message,
                                        const std::vector<log::TextField>&) { said.emplace_back(message); }};
    {
        const TlsServer server{Identity::server("DNS:logs.example", stranger)};
        for (int i = 0; i < 3; ++i) {
            EXPECT_EQ(uploader.pass(server.destination(), 1000), Uploader::Outcome::kGaveUp);
        }
        EXPECT_THAT(server.requests(), IsEmpty());
    }
    EXPECT_EQ(spool.records(), 2U);
    ASSERT_EQ(said.size(), 1U);
    EXPECT_THAT(said[0], HasSubstr("does not prove who it is"));

    const TlsServer server{Identity::server("DNS:logs.example", authority)};
    EXPECT_EQ(uploader.pass(server.destination(), 1000), Uploader::Outcome::kDone);
    ASSERT_EQ(server.requests().size(), 1U);
    EXPECT_THAT(server.requests()[0], EndsWith(R"({"flow_logs":[{"n":1},{"n":2}]})"));
    EXPECT_EQ(spool.records(), 0U);
}

}  // namespace
}  // namespace culvert::flow_upload
