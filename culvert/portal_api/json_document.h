#pragma once

#include <expected>
#include <string_view>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/value.hpp>

#include "culvert/portal_api/codec.h"

/// Private to portal_api: include it in .cpp files only.
namespace culvert::portal_api {

namespace json = boost::json;

/// One parsed text and the memory of its values.
class JsonDocument {
public:
    JsonDocument() : root_(json::storage_ptr(&memory_)) {}
    JsonDocument(const JsonDocument&) = delete;
    JsonDocument& operator=(const JsonDocument&) = delete;

    /// Parses `text`, which must be one JSON object of limited nesting, and returns it. Call once.
    [[nodiscard]] std::expected<const json::value*, DecodeError> parse(std::string_view text, std::size_t max_size,
                                                                       std::size_t max_depth);

private:
    json::monotonic_resource memory_;
    json::value root_;
};

}  // namespace culvert::portal_api
