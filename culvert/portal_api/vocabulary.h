#pragma once

#include <string_view>

#include "culvert/portal_api/dialect.h"

/// Private to portal_api: include it in .cpp files only.
namespace culvert::portal_api {

/// What the dialects have different names for (spec/newer-dialect.md sections 2.4 and 6.1).
struct Vocabulary {
    std::string_view create_flow;
    std::string_view authorize_flow;
    std::string_view flow_authorized;
    std::string_view flow_created;
    std::string_view flow_creation_failed;
    /// Members, of which both are understood but only one may be sent: with two the object would be dropped.
    std::string_view sites;
    std::string_view site_id;
    /// What a policy's condition may be about: how a client signed in.
    std::string_view auth_provider_id;
};

inline constexpr Vocabulary kVocabularyV1{.create_flow = "create_flow",
                                          .authorize_flow = "authorize_flow",
                                          .flow_authorized = "flow_authorized",
                                          .flow_created = "flow_created",
                                          .flow_creation_failed = "flow_creation_failed",
                                          .sites = "gateway_groups",
                                          .site_id = "gateway_group_id",
                                          .auth_provider_id = "provider_id"};

inline constexpr Vocabulary kVocabularyV2{.create_flow = "request_authorization",
                                          .authorize_flow = "create_authorization",
                                          .flow_authorized = "authorization_created",
                                          .flow_created = "authorization_created",
                                          .flow_creation_failed = "authorization_creation_failed",
                                          .sites = "sites",
                                          .site_id = "site_id",
                                          .auth_provider_id = "auth_provider_id"};

[[nodiscard]] constexpr const Vocabulary& vocabulary(Dialect dialect) {
    return dialect == Dialect::kV1 ? kVocabularyV1 : kVocabularyV2;
}

}  // namespace culvert::portal_api
