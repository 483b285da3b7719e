#include "culvert/portal/duplicate_keys.h"

#include <cstddef>
#include <cstdint>
#include <set>
#include <variant>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>

namespace culvert::portal {
namespace {

namespace json = boost::json;
using boost::system::error_code;

/// Follows the parser's events and knows at any time where it is.
class KeyHandler {
public:
    static constexpr std::size_t max_object_size = std::size_t(-1);
    static constexpr std::size_t max_array_size = std::size_t(-1);
    static constexpr std::size_t max_key_size = std::size_t(-1);
    static constexpr std::size_t max_string_size = std::size_t(-1);

    [[nodiscard]] const std::optional<std::string>& duplicate() const { return duplicate_; }

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }

    bool on_object_begin(error_code&) {
        enter_value();
        open_.emplace_back(Object{});
        return true;
    }
    bool on_object_end(std::size_t, error_code&) {
        open_.pop_back();
        return true;
    }
    bool on_array_begin(error_code&) {
        enter_value();
        open_.emplace_back(Array{});
        return true;
    }
    bool on_array_end(std::size_t, error_code&) {
        open_.pop_back();
        return true;
    }

    bool on_key_part(json::string_view part, std::size_t, error_code&) {
        key_.append(part.data(), part.size());
        return true;
    }
    bool on_key(json::string_view last_part, std::size_t, error_code& error) {
        key_.append(last_part.data(), last_part.size());
        auto& object = std::get<Object>(open_.back());
        object.current = std::exchange(key_, {});
        if (!object.keys.insert(object.current).second) {
            duplicate_ = place();
            error = json::error::syntax;  // any: the rest does not matter
            return false;
        }
        return true;
    }

    bool on_string_part(json::string_view, std::size_t, error_code&) { return true; }
    bool on_string(json::string_view, std::size_t, error_code&) { return enter_value(); }
    bool on_number_part(json::string_view, error_code&) { return true; }
    bool on_int64(std::int64_t, json::string_view, error_code&) { return enter_value(); }
    bool on_uint64(std::uint64_t, json::string_view, error_code&) { return enter_value(); }
    bool on_double(double, json::string_view, error_code&) { return enter_value(); }
    bool on_bool(bool, error_code&) { return enter_value(); }
    bool on_null(error_code&) { return enter_value(); }
    bool on_comment_part(json::string_view, error_code&) { return true; }
    bool on_comment(json::string_view, error_code&) { return true; }

private:
    struct Object {
        std::set<std::string> keys;
        std::string current;
    };
    struct Array {
        std::size_t entered = 0;
    };

    /// A value begins: the next one of the array that is open, if it is one.
    bool enter_value() {
        if (!open_.empty()) {
            if (auto* const array = std::get_if<Array>(&open_.back())) {
                ++array->entered;
            }
        }
        return true;
    }

    [[nodiscard]] std::string place() const {
        std::string text;
        for (const auto& level : open_) {
            if (const auto* const array = std::get_if<Array>(&level)) {
                text += "[" + std::to_string(array->entered - 1) + "]";
            } else {
                text += (text.empty() ? "" : ".") + std::get<Object>(level).current;
            }
        }
        return text;
    }

    std::vector<std::variant<Object, Array>> open_;
    std::string key_;
    std::optional<std::string> duplicate_;
};

}  // namespace

std::optional<std::string> find_duplicate_key(std::string_view json_text) {
    json::basic_parser<KeyHandler> parser{json::parse_options{}};
    error_code error;
    (void)parser.write_some(false, json_text.data(), json_text.size(), error);
    return parser.handler().duplicate();
}

}  // namespace culvert::portal
