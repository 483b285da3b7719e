#include "culvert/portal_api/doh_url.h"

#include <cstddef>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace culvert::portal_api {
namespace {

/// As much as servers accept; no provider's URL has more than a few dozen characters.
constexpr std::size_t kMaxLength = 2048;

}  // namespace

bool is_doh_url(std::string_view text) {
    if (text.size() > kMaxLength) {
        return false;
    }
    const auto url = boost::urls::parse_uri(boost::urls::string_view{text.data(), text.size()});
    return url && url->scheme_id() == boost::urls::scheme::https && !url->encoded_host().empty() &&
           !url->has_userinfo() && !url->has_query() && !url->has_fragment() &&
           (!url->has_port() || url->port() == "443");
}

}  // namespace culvert::portal_api
