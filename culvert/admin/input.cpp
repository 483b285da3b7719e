#include "culvert/admin/input.h"

#include "culvert/admin/problem.h"

namespace culvert::admin {

Input::Input(const boost::json::value& body, std::string_view wrapper) {
    const auto* outer = body.if_object();
    const auto* inner = outer == nullptr ? nullptr : outer->if_contains({wrapper.data(), wrapper.size()});
    fields_ = inner == nullptr ? nullptr : inner->if_object();
    if (fields_ == nullptr) {
        throw bad_request("The body must be a JSON object with an object under \"" + std::string{wrapper} + "\".");
    }
}

bool Input::is_null(std::string_view field) const {
    const auto* value = find(field);
    return value != nullptr && value->is_null();
}

const boost::json::value* Input::find(std::string_view field) const {
    return fields_->if_contains({field.data(), field.size()});
}

std::string Input::without_place(const std::string& text) {
    constexpr std::string_view kNowhere = "top level: ";
    return text.starts_with(kNowhere) ? text.substr(kNowhere.size()) : text;
}

void Input::check() const {
    if (!errors_.empty()) {
        throw ApiProblem{
            .status = 422, .code = "validation_failed", .detail = "Some fields are not valid.", .errors = errors_};
    }
}

}  // namespace culvert::admin
