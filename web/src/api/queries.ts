import { keepPreviousData, useMutation, useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { data, request, setCsrfToken, withQuery, type Query } from "./http";
import { Problem } from "./problem";
import type { Access, Account, Kind, Kinds, Page, Session, Token } from "./types";

/** A list; its rows stay on the screen while the next page or another filter loads. */
export function useList<K extends Kind>(kind: K, query: Query = {}, enabled = true) {
  return useQuery({
    queryKey: [kind, "list", query],
    queryFn: async () => (await request<Page<Kinds[K]>>("GET", withQuery(`/${kind}`, query))).body,
    placeholderData: keepPreviousData,
    enabled,
  });
}

/** One object with its ETag, so that an edit of what somebody else has changed meanwhile is refused. */
export function useOne<K extends Kind>(kind: K, id: string | null) {
  return useQuery({
    queryKey: [kind, "one", id],
    queryFn: async () => {
      const answer = await request<{ data: Kinds[K] }>("GET", `/${kind}/${id ?? ""}`);
      return { object: answer.body.data, etag: answer.etag };
    },
    enabled: id !== null,
  });
}

/** Lists below an object, such as a site's tokens or a group's members. */
export function useSublist<T>(kind: Kind, id: string, name: string) {
  return useQuery({
    queryKey: [kind, id, name],
    queryFn: async () => (await request<Page<T>>("GET", withQuery(`/${kind}/${id}/${name}`, { limit: 100 }))).body,
  });
}

export const useTokens = (kind: "sites" | "actors", id: string) => useSublist<Token>(kind, id, "tokens");

export function useAccount() {
  return useQuery({
    queryKey: ["account"],
    queryFn: async () => {
      const answer = await request<{ data: Account }>("GET", "/account");
      return { object: answer.body.data, etag: answer.etag };
    },
  });
}

export function useAccess(actorId: string | null, resourceId: string | null) {
  return useQuery({
    queryKey: ["access", actorId, resourceId],
    queryFn: () => data<Access>("GET", withQuery("/access", { actor_id: actorId, resource_id: resourceId })),
    enabled: actorId !== null && resourceId !== null,
  });
}

export function useSetup() {
  return useQuery({
    queryKey: ["setup"],
    queryFn: () => data<{ is_needed: boolean }>("GET", "/setup"),
    staleTime: Infinity,
  });
}

export function takeSession(client: QueryClient, session: Session | null): void {
  setCsrfToken(session?.csrf_token ?? null);
  client.setQueryData(["session"], session);
}

/** Who is signed in; null if nobody is. */
export function useSession() {
  const client = useQueryClient();
  return useQuery({
    queryKey: ["session"],
    queryFn: async () => {
      try {
        const session = await data<Session>("GET", "/session");
        setCsrfToken(session.csrf_token);
        return session;
      } catch (problem) {
        if (problem instanceof Problem && problem.status === 401) {
          takeSession(client, null);
          return null;
        }
        throw problem;
      }
    },
    staleTime: Infinity,
  });
}

export interface Write {
  method: "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  body?: unknown;
  etag?: string | null;
}

/** Writes, and asks again for everything on the screen. */
export function useWrite<T = unknown>() {
  const client = useQueryClient();
  return useMutation<T, Error, Write>({
    mutationFn: ({ method, path, body, etag }) => data<T>(method, path, body, etag),
    onSuccess: () => client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "session" }),
  });
}
