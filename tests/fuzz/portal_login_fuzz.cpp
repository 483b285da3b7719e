// What the portal reads before it knows who it is talking to: tokens, the User-Agent, and the file of `apply`.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "culvert/portal/configuration.h"
#include "culvert/portal/resource_address.h"
#include "culvert/portal/token.h"
#include "culvert/portal/version.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace culvert::portal;
    if (size == 0) {
        return 0;
    }
    const std::string_view text{reinterpret_cast<const char*>(data + 1), size - 1};
    switch (data[0] % 4) {
        case 0: {
            static const TokenKeys kKeys{"example-key-base", "example-salt"};
            if (const auto claims = verify_token(text, TokenType::kClient, kKeys)) {
                (void)hash_token_secret(claims->nonce, claims->secret, "salt");
            }
            break;
        }
        case 1:
            if (const auto agent = UserAgent::parse(text)) {
                if (const auto version = Version::parse(agent->version)) {
                    (void)handles_site_changes(client_component(text, true), *version);
                    (void)are_compatible(*version, {1, 4, 18});
                }
            }
            break;
        case 2:
            (void)Configuration::parse(text);
            break;
        default:
            for (const auto type : {ResourceType::kDns, ResourceType::kCidr, ResourceType::kIp}) {
                // What is canonical stays as it is.
                if (const auto address = canonical_address(type, text)) {
                    if (canonical_address(type, *address) != *address) {
                        __builtin_trap();
                    }
                }
            }
            (void)parse_ports(text);
            (void)parse_upstream_dns(text);
            (void)parse_search_domain(text);
    }
    return 0;
}
