#include "culvert/resolver/doh_queries.h"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "culvert/base/base64.h"
#include "culvert/dns/constants.h"
#include "culvert/dns/message.h"
#include "culvert/io/clock.h"
#include "culvert/observability/log.h"
#include "culvert/resolver/constants.h"
#include "culvert/resolver/host_names.h"

namespace culvert::resolver {
namespace {

constexpr log::Logger kLog{"resolver"};

constexpr const char* kMediaType = "application/dns-message";

/// Caches on the way see the same request for the same question (RFC 8484 section 4.1).
constexpr dns::MessageId kWireId = 0;

struct FreeUrl {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

/// nullopt: the URL has no such part.
std::optional<std::string> part(CURLU* url, CURLUPart what, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(url, what, &text, flags) != CURLUE_OK) {
        return std::nullopt;
    }
    std::string copy{text};
    curl_free(text);
    return copy;
}

}  // namespace

DohQueries::DohQueries(boost::asio::io_context& context, Options options, QueryObserver observer)
    : context_{context}, options_{options}, observer_{std::move(observer)}, transfers_{context, options.mark} {}

void DohQueries::set_name_servers(std::vector<net::IpAddress> servers) {
    name_servers_ = std::move(servers);
}

void DohQueries::ask(dns::AskId id, const dns::DohServer& server, ByteSpan message) {
    stop(id);
    const auto url = parse_doh_url(server.url, options_.https_port);
    if (!url || queries_.size() >= kMaxDohQueries || message.size() < dns::Message::kHeaderSize ||
        message.size() > dns::kMaxQuery || load_be<std::uint16_t>(message) != kWireId) {
        kLog.debug("Not asking over HTTPS: too many queries, or no query or URL that can be sent",
                   log::field("open", queries_.size()), log::field("url", server.url));
        return observer_.on_failure(id);
    }
    start(queries_
              .emplace(id, Query{.server = server,
                                 .host = url->host,
                                 .has_named_host = !url->address,
                                 .url = server.url + "?dns=" + to_base64(message, Base64::kUrlNoPadding)})
              .first);
}

void DohQueries::stop(dns::AskId id) {
    const auto entry = queries_.find(id);
    if (entry == queries_.end()) {
        return;
    }
    if (entry->second.transfer) {
        transfers_.cancel(*entry->second.transfer);
    }
    queries_.erase(entry);
}

void DohQueries::handle_network_change() {
    servers_.clear();
    std::vector<dns::AskId> waiting;
    for (const auto& [id, query] : queries_) {
        if (!query.transfer) {
            waiting.push_back(id);
        }
    }
    transfers_.drop_connections();
    std::ranges::for_each(waiting, [this](dns::AskId id) { fail(id); });
}

void DohQueries::start(Entry entry) {
    if (!entry->second.has_named_host) {
        return send(entry, {});
    }
    const auto found = servers_.find(entry->second.host);
    if (found != servers_.end() && found->second.look_up) {
        return;  // goes on with it
    }
    if (found != servers_.end() && io::monotonic_now() < found->second.known_until) {
        return send(entry, found->second.addresses);
    }
    if (found == servers_.end() && !make_room()) {
        return fail(entry->first);
    }
    look_up(std::string{entry->second.host});
}

void DohQueries::send(Entry entry, const std::vector<net::IpAddress>& addresses) {
    const auto id = entry->first;
    auto& query = entry->second;
    query.transfer = transfers_.get({.url = query.url,
                                     .accept = kMediaType,
                                     .host = query.host,
                                     .port = options_.https_port,
                                     .addresses = addresses,
                                     .max_body = dns::kMaxTcpMessage},
                                    [this, id](auto result) { handle_result(id, std::move(result)); });
    if (!query.transfer) {
        fail(id);
    }
}

bool DohQueries::make_room() {
    if (servers_.size() >= kMaxDohServers) {
        std::erase_if(servers_, [](const auto& server) { return !server.second.look_up; });
    }
    return servers_.size() < kMaxDohServers;
}

void DohQueries::look_up(const std::string& host) {
    auto& server = servers_[host];
    server.look_up = std::make_unique<AddressLookUp>(
        context_,
        AddressLookUp::Options{
            .servers = name_servers_, .mark = options_.mark, .limit = kDohLookUpTime, .port = options_.dns_port},
        [this, host](auto found) { handle_addresses(host, std::move(found)); });
    server.look_up->start(host);
}

void DohQueries::handle_addresses(const std::string& host, std::optional<AddressLookUp::Found> found) {
    auto& server = servers_.at(host);
    const auto finished = std::move(server.look_up);  // it called us, and lives until we return
    const bool is_known = found && !found->addresses.empty();
    if (is_known) {
        server.addresses = std::move(found->addresses);
        server.known_until = io::monotonic_now() + found->lifetime;
    } else {
        kLog.debug("Cannot find the address of a resolver over HTTPS", log::field("host", host));
    }
    std::vector<dns::AskId> waiting;
    for (const auto& [id, query] : queries_) {
        if (!query.transfer && query.host == host) {
            waiting.push_back(id);
        }
    }
    for (const auto id : waiting) {
        const auto entry = queries_.find(id);
        if (entry == queries_.end()) {
            continue;
        }
        is_known ? start(entry) : fail(id);
    }
}

void DohQueries::handle_result(dns::AskId id, std::expected<HttpsTransfers::Response, HttpsTransfers::Error> result) {
    const auto entry = queries_.find(id);
    entry->second.transfer.reset();
    if (!result) {
        note_failure(entry->second.host, result.error().text);
        const auto server = servers_.find(entry->second.host);
        if (result.error().is_unreachable && server != servers_.end()) {
            server->second.known_until = {};
        }
        return fail(id);
    }
    if (result->status != 200 || result->content_type != kMediaType) {
        note_failure(entry->second.host, "HTTP status " + std::to_string(result->status) + ", content of type \"" +
                                             result->content_type + '"');
        return fail(id);
    }
    if (!dns::is_response_to(result->body, kWireId)) {
        note_failure(entry->second.host, "no DNS answer");
        return fail(id);
    }
    if (failing_.erase(entry->second.host) > 0) {
        kLog.info("A resolver over HTTPS answers again", log::field("host", entry->second.host));
    }
    queries_.erase(entry);
    observer_.on_response(id, std::move(result->body));
}

void DohQueries::note_failure(const std::string& host, const std::string& error) {
    const bool is_news = failing_.size() < kMaxFailingResolvers && failing_.insert(host).second;
    kLog.log(is_news ? log::Level::kWarn : log::Level::kDebug, "A resolver over HTTPS does not answer",
             log::field("host", host), log::field("error", error));
}

void DohQueries::fail(dns::AskId id) {
    if (queries_.erase(id) > 0) {
        observer_.on_failure(id);
    }
}

std::optional<DohUrl> parse_doh_url(const std::string& url, std::uint16_t port) {
    const std::unique_ptr<CURLU, FreeUrl> parsed{curl_url()};
    if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
        return std::nullopt;
    }
    const auto has = [&](CURLUPart what) { return part(parsed.get(), what).has_value(); };
    // A query that is empty, or a fragment, are none to libcurl.
    if (part(parsed.get(), CURLUPART_SCHEME) != "https" || url.find_first_of("?#") != std::string::npos ||
        has(CURLUPART_USER) || has(CURLUPART_PASSWORD) || has(CURLUPART_OPTIONS) ||
        part(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT) != std::to_string(port)) {
        return std::nullopt;
    }
    auto host = part(parsed.get(), CURLUPART_HOST);
    if (!host || host->ends_with('.') || has(CURLUPART_ZONEID)) {
        return std::nullopt;
    }
    const auto address = net::IpAddress::parse(
        host->starts_with('[') && host->ends_with(']') ? std::string_view{*host}.substr(1, host->size() - 2) : *host);
    if (address) {
        return DohUrl{.host = address->to_string(), .address = address};
    }
    // Of any other name libcurl might make another one, and then look that up by itself.
    const auto name = dns::Name::parse(*host);
    if (!name || !host_name_of(*name)) {
        return std::nullopt;
    }
    std::ranges::transform(*host, host->begin(), dns::to_lower);
    return DohUrl{.host = *std::move(host)};
}

}  // namespace culvert::resolver
