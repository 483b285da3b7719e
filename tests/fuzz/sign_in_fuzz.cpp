// What browsers and apps send to sign somebody in: forms, addresses and cookies of anybody. What is taken keeps its
// meaning when it is written into a link, and no form passes for one of ours.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "culvert/sign_in/app_request.h"
#include "culvert/sign_in/browser_cookie.h"
#include "culvert/sign_in/form_fields.h"
#include "culvert/sign_in/form_seal.h"

namespace {

using namespace culvert;
using namespace culvert::sign_in;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void check_form(std::string_view text) {
    const auto fields = FormFields::parse(text);
    if (!fields) {
        return;
    }
    const auto request = AppRequest::parse([&](std::string_view name) { return fields->find(name); });
    if (!request) {
        require(!request.error().empty());
        return;
    }
    const auto again = FormFields::parse(request->to_query());
    require(again.has_value());
    require(AppRequest::parse([&](std::string_view name) { return again->find(name); }) == *request);
    require(request->nonce.find('.') == std::string::npos);
    static const FormSeal kSeal{{"example-key-base", "example-salt"}};
    require(kSeal.judge(fields->get("seal"), *request, fields->get("browser"), {}) == FormSeal::Verdict::kForged);
}

void check_link(std::string_view text) {
    const auto encoded = percent_encode(text);
    require(encoded.find_first_of(" +&=?#\"'<>\r\n") == std::string::npos);
    const DeepLink link{.account_name = std::string{text},
                        .account_slug = "acme",
                        .actor_name = "Jo",
                        .fragment = ".x",
                        .identifier = std::string{text},
                        .state = "s"};
    const auto uri = link.to_uri();
    if (const auto fields = FormFields::parse(std::string_view{uri}.substr(uri.find('?') + 1))) {
        require(fields->get("account_name") == text && fields->get("identity_provider_identifier") == text);
        require(fields->get("fragment") == ".x" && fields->get("state") == "s");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    check_form(text);
    check_link(text);
    const auto secret = browser_secret_in(text, kFormCookie);
    require(secret.empty() || secret.size() == 43);
    (void)sign_out_uri(text);
    return 0;
}
