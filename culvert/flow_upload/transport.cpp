#include "culvert/flow_upload/transport.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "culvert/portal_api/flow_record.h"

namespace culvert::flow_upload {
namespace {

namespace urls = boost::urls;

constexpr std::uint16_t kHttpsPort = 443;
constexpr std::uint16_t kHttpPort = 80;

struct Parsed {
    std::string scheme;
    /// As in the URL, with the brackets of an IPv6 address.
    std::string encoded_host;
    std::string host;
    std::uint16_t port = 0;
    std::string target;
};

std::optional<Parsed> parse(const std::string& text) {
    const auto url = urls::parse_uri(text);
    if (!url || url->host().empty() || url->has_userinfo() || (url->has_port() && url->port_number() == 0)) {
        return std::nullopt;
    }
    const bool is_https = url->scheme_id() == urls::scheme::https;
    if (!is_https && url->scheme_id() != urls::scheme::http) {
        return std::nullopt;
    }
    const auto encoded_host = std::string{url->encoded_host()};
    const auto target =
        std::string{url->encoded_path()} + (url->has_query() ? "?" + std::string{url->encoded_query()} : std::string{});
    return Parsed{
        .scheme = is_https ? "https" : "http",
        .encoded_host = encoded_host,
        .host = url->host_type() == urls::host_type::ipv6 ? std::string{url->host_address()} : std::string{url->host()},
        .port = url->has_port() ? url->port_number()
                : is_https      ? kHttpsPort
                                : kHttpPort,
        .target = target.empty() ? "/" : target};
}

Destination to_destination(const Parsed& url, std::string_view target) {
    return {.url = url.scheme + "://" + url.encoded_host + ":" + std::to_string(url.port) + std::string{target},
            .host = url.host,
            .port = url.port};
}

}  // namespace

std::optional<Destination> destination_of(const std::string& api_url, bool allows_plain_text) {
    const auto url = parse(api_url);
    if (!url || (url->scheme != "https" && !allows_plain_text)) {
        return std::nullopt;
    }
    return to_destination(*url, portal_api::kFlowLogsPath);
}

std::optional<Destination> redirected_to(const std::string& location) {
    const auto url = parse(location);
    if (!url || url->scheme != "https" || url->port != kHttpsPort) {
        return std::nullopt;
    }
    return to_destination(*url, url->target);
}

}  // namespace culvert::flow_upload
