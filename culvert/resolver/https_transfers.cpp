#include "culvert/resolver/https_transfers.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <chrono>
#include <initializer_list>
#include <new>
#include <utility>

#include "culvert/resolver/constants.h"

namespace culvert::resolver {
namespace {

void initialise_once() {
    static const auto kResult = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (kResult != CURLE_OK) {
        throw std::bad_alloc{};
    }
}

/// "dns.example:443:192.0.2.1,[2001:db8::1]": libcurl looks nothing up then.
std::string resolved(const HttpsTransfers::Request& request) {
    auto text = request.host + ":" + std::to_string(request.port) + ":";
    for (const auto& address : request.addresses) {
        if (!text.ends_with(':')) {
            text += ',';
        }
        text += address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
    }
    return text;
}

bool is_unreachable(CURLcode code) {
    return code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT || code == CURLE_SSL_CONNECT_ERROR ||
           code == CURLE_PEER_FAILED_VERIFICATION;
}

}  // namespace

/// One request and what has come of it.
class HttpsTransfers::Transfer {
public:
    Transfer(Id id, const Request& request, const SocketMark& mark, Handler handler)
        : id_{id}, max_body_{request.max_body}, mark_{mark}, handler_{std::move(handler)}, easy_{curl_easy_init()} {
        if (!request.addresses.empty()) {
            addresses_.reset(curl_slist_append(nullptr, resolved(request).c_str()));
        }
        headers_.reset(curl_slist_append(nullptr, ("Accept: " + request.accept).c_str()));
        if (!easy_ || !headers_ || (!request.addresses.empty() && !addresses_)) {
            throw std::bad_alloc{};
        }
        set(CURLOPT_PRIVATE, static_cast<void*>(this));
        set_destination(request);
        set_trust();
        set_limits();
    }

    [[nodiscard]] Id id() const { return id_; }
    [[nodiscard]] CURL* easy() const { return easy_.get(); }
    [[nodiscard]] const Handler& handler() const { return handler_; }
    [[nodiscard]] static Transfer& of(CURL* easy) {
        void* transfer = nullptr;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        return *static_cast<Transfer*>(transfer);
    }

    [[nodiscard]] std::expected<Response, Error> result(CURLcode code) {
        if (code != CURLE_OK) {
            return std::unexpected{Error{curl_easy_strerror(code), is_unreachable(code)}};
        }
        Response response{.body = std::move(body_)};
        curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &response.status);
        const char* type = nullptr;
        curl_easy_getinfo(easy(), CURLINFO_CONTENT_TYPE, &type);
        response.content_type = type != nullptr ? type : "";
        return response;
    }

private:
    struct FreeList {
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };
    using List = std::unique_ptr<curl_slist, FreeList>;
    struct FreeEasy {
        void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    };

    template <typename T>
    void set(CURLoption option, T value) {
        if (curl_easy_setopt(easy(), option, value) != CURLE_OK) {
            throw std::bad_alloc{};
        }
    }

    void set_destination(const Request& request) {
        set(CURLOPT_URL, request.url.c_str());
        set(CURLOPT_PROTOCOLS_STR, "https");
        set(CURLOPT_FOLLOWLOCATION, 0L);
        set(CURLOPT_PROXY, "");  // not even the one that the environment names
        set(CURLOPT_RESOLVE, addresses_.get());
        set(CURLOPT_HTTPHEADER, headers_.get());
        set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
        set(CURLOPT_PIPEWAIT, 1L);
        set(CURLOPT_SOCKOPTDATA, &mark_);
        set(CURLOPT_SOCKOPTFUNCTION, prepare_socket);
    }

    void set_trust() {
        set(CURLOPT_SSL_VERIFYPEER, 1L);
        set(CURLOPT_SSL_VERIFYHOST, 2L);
        set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
        // Whom the connection to the portal trusts, not whom libcurl was built to trust.
        set(CURLOPT_CAINFO, static_cast<const char*>(nullptr));
        set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
        set(CURLOPT_SSL_CTX_FUNCTION, trust_system);
    }

    void set_limits() {
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_TIMEOUT_MS, static_cast<long>(kDohQueryTime.count()));
        set(CURLOPT_MAXAGE_CONN, static_cast<long>(kDohIdleTime.count()));
        set(CURLOPT_WRITEDATA, static_cast<void*>(this));
        set(CURLOPT_WRITEFUNCTION, take_body);
        set(CURLOPT_HEADERDATA, static_cast<void*>(this));
        set(CURLOPT_HEADERFUNCTION, take_header);
    }

    static int prepare_socket(void* mark, curl_socket_t fd, curlsocktype) {
        const auto user_timeout = static_cast<unsigned>(kDohUserTimeout.count());
        ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof user_timeout);
        return set_mark(fd, *static_cast<const SocketMark*>(mark)) ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
    }

    static CURLcode trust_system(CURL*, void* context, void*) {
        return SSL_CTX_set_default_verify_paths(static_cast<SSL_CTX*>(context)) == 1 ? CURLE_OK
                                                                                     : CURLE_SSL_CACERT_BADFILE;
    }

    static std::size_t take_body(const char* bytes, std::size_t, std::size_t size, void* self) {
        auto& transfer = *static_cast<Transfer*>(self);
        if (size > transfer.max_body_ - transfer.body_.size()) {
            return 0;  // ends it
        }
        append(transfer.body_, as_bytes({bytes, size}));
        return size;
    }

    static std::size_t take_header(const char*, std::size_t, std::size_t size, void* self) {
        auto& transfer = *static_cast<Transfer*>(self);
        transfer.header_size_ += size;
        return transfer.header_size_ <= kMaxDohHeaders ? size : 0;
    }

    Id id_;
    std::size_t max_body_;
    SocketMark mark_;
    Handler handler_;
    std::size_t header_size_ = 0;
    Bytes body_;
    List addresses_;
    List headers_;
    std::unique_ptr<CURL, FreeEasy> easy_;
};

void HttpsTransfers::CloseMulti::operator()(void* multi) const {
    curl_multi_cleanup(multi);
}

HttpsTransfers::HttpsTransfers(boost::asio::io_context& context, SocketMark mark)
    : mark_{mark},
      descriptors_{context,
                   [this](int fd, bool is_readable, bool is_writable) {
                       act(fd, (is_readable ? CURL_CSELECT_IN : 0) | (is_writable ? CURL_CSELECT_OUT : 0));
                   }},
      timer_{context, [this] { act(CURL_SOCKET_TIMEOUT, 0); }} {
    initialise_once();
    open_multi();
}

HttpsTransfers::~HttpsTransfers() {
    for (const auto& [id, transfer] : transfers_) {
        curl_multi_remove_handle(multi_.get(), transfer->easy());
    }
}

void HttpsTransfers::open_multi() {
    multi_.reset(curl_multi_init());
    if (!multi_) {
        throw std::bad_alloc{};
    }
    auto* const multi = multi_.get();
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, kDohConnections);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, static_cast<void*>(this));
    curl_multi_setopt(
        multi, CURLMOPT_SOCKETFUNCTION, +[](CURL*, curl_socket_t fd, int what, void* self, void*) {
            static_cast<HttpsTransfers*>(self)->descriptors_.watch(fd, what == CURL_POLL_IN || what == CURL_POLL_INOUT,
                                                                   what == CURL_POLL_OUT || what == CURL_POLL_INOUT);
            return 0;
        });
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, static_cast<void*>(this));
    curl_multi_setopt(
        multi, CURLMOPT_TIMERFUNCTION, +[](CURLM*, long milliseconds, void* self) {
            auto& timer = static_cast<HttpsTransfers*>(self)->timer_;
            milliseconds < 0 ? timer.cancel() : timer.set(std::chrono::milliseconds{milliseconds});
            return 0;
        });
}

std::optional<HttpsTransfers::Id> HttpsTransfers::get(const Request& request, Handler handler) {
    const auto id = next_++;
    auto transfer = std::make_unique<Transfer>(id, request, mark_, std::move(handler));
    if (curl_multi_add_handle(multi_.get(), transfer->easy()) != CURLM_OK) {
        return std::nullopt;
    }
    transfers_.emplace(id, std::move(transfer));
    return id;
}

void HttpsTransfers::cancel(Id id) {
    if (const auto found = transfers_.find(id); found != transfers_.end()) {
        curl_multi_remove_handle(multi_.get(), found->second->easy());
        transfers_.erase(found);
    }
}

void HttpsTransfers::drop_connections() {
    auto transfers = std::exchange(transfers_, {});
    for (const auto& [id, transfer] : transfers) {
        curl_multi_remove_handle(multi_.get(), transfer->easy());
    }
    open_multi();
    for (const auto& [id, transfer] : transfers) {
        transfer->handler()(std::unexpected{Error{"the network changed", true}});
    }
}

void HttpsTransfers::act(int fd, int events) {
    int running = 0;
    curl_multi_socket_action(multi_.get(), fd, events, &running);
    deliver_finished();
}

void HttpsTransfers::deliver_finished() {
    int left = 0;
    while (const auto* message = curl_multi_info_read(multi_.get(), &left)) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        const auto code = message->data.result;  // the message ends with the transfer
        const auto finished = transfers_.extract(Transfer::of(message->easy_handle).id());
        auto& transfer = *finished.mapped();
        curl_multi_remove_handle(multi_.get(), transfer.easy());
        transfer.handler()(transfer.result(code));
    }
}

}  // namespace culvert::resolver
