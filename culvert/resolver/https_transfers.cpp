#include "culvert/resolver/https_transfers.h"

#include <chrono>
#include <utility>

#include "culvert/resolver/constants.h"
#include "culvert/resolver/curl_request.h"

namespace culvert::resolver {
namespace {

bool is_unreachable(CURLcode code) {
    return code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT || code == CURLE_SSL_CONNECT_ERROR ||
           code == CURLE_PEER_FAILED_VERIFICATION;
}

}  // namespace

/// One request and what has come of it.
class HttpsTransfers::Transfer {
public:
    Transfer(Id id, const Request& request, const SocketMark& mark, Handler handler)
        : id_{id},
          max_body_{request.max_body},
          handler_{std::move(handler)},
          request_{{.url = request.url,
                    .host = request.host,
                    .port = request.port,
                    .addresses = request.addresses,
                    .headers = {"Accept: " + request.accept},
                    .time = kDohQueryTime,
                    .mark = mark,
                    .user_timeout = kDohUserTimeout}} {
        request_.set(CURLOPT_PRIVATE, static_cast<void*>(this));
        request_.set(CURLOPT_PIPEWAIT, 1L);
        request_.set(CURLOPT_MAXAGE_CONN, static_cast<long>(kDohIdleTime.count()));
        request_.set(CURLOPT_WRITEDATA, static_cast<void*>(this));
        request_.set(CURLOPT_WRITEFUNCTION, take_body);
        request_.set(CURLOPT_HEADERDATA, static_cast<void*>(this));
        request_.set(CURLOPT_HEADERFUNCTION, take_header);
    }

    [[nodiscard]] Id id() const { return id_; }
    [[nodiscard]] CURL* easy() const { return request_.easy(); }
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
    Handler handler_;
    std::size_t header_size_ = 0;
    Bytes body_;
    CurlRequest request_;
};

HttpsTransfers::HttpsTransfers(boost::asio::io_context& context, SocketMark mark)
    : mark_{mark},
      descriptors_{context,
                   [this](int fd, bool is_readable, bool is_writable) {
                       act(fd, (is_readable ? CURL_CSELECT_IN : 0) | (is_writable ? CURL_CSELECT_OUT : 0));
                   }},
      timer_{context, [this] { act(CURL_SOCKET_TIMEOUT, 0); }} {
    open_multi();
}

HttpsTransfers::~HttpsTransfers() {
    for (const auto& [id, transfer] : transfers_) {
        curl_multi_remove_handle(multi_.get(), transfer->easy());
    }
}

void HttpsTransfers::open_multi() {
    multi_ = open_curl_multi();
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
