#include "culvert/portal_api/json_document.h"

#include <boost/json/parse.hpp>

namespace culvert::portal_api {

std::expected<const json::value*, DecodeError> JsonDocument::parse(std::string_view text, std::size_t max_size,
                                                                   std::size_t max_depth) {
    if (text.size() > max_size) {
        return std::unexpected{DecodeError{.text = "too long"}};
    }
    json::parse_options options;
    options.max_depth = max_depth;
    boost::system::error_code error;
    root_ = json::parse(json::string_view{text.data(), text.size()}, error, &memory_, options);
    if (error == json::error::incomplete) {
        return std::unexpected{DecodeError{.kind = DecodeError::Kind::kTruncated, .text = "truncated JSON"}};
    }
    if (error) {
        return std::unexpected{DecodeError{.text = "invalid JSON: " + error.message()}};
    }
    if (!root_.is_object()) {
        return std::unexpected{DecodeError{.text = "not a JSON object"}};
    }
    return &root_;
}

}  // namespace culvert::portal_api
