import { useSearchParams } from "wouter";
import { useAccess, useList, useOne } from "../../api/queries";
import { EmptyState } from "../../parts/EmptyState";
import { ObjectSelect } from "../../parts/ObjectSelect";
import { PageHead } from "../../parts/PageHead";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { text } from "../../text";
import { Verdict } from "./Verdict";

/** "Why can Ana not reach wiki?" The question stands in the URL, so that the answer can be sent to somebody. */
export default function AccessPage() {
  const [params, setParams] = useSearchParams();
  const actorId = params.get("actor");
  const resourceId = params.get("resource");
  const actor = useOne("actors", actorId);
  const resource = useOne("resources", resourceId);
  const access = useAccess(actorId, resourceId);
  const flows = useList(
    "flows",
    { actor_id: actorId, resource_id: resourceId, limit: 5 },
    actorId !== null && resourceId !== null,
  );

  function choose(key: "actor" | "resource", id: string | null): void {
    setParams((before) => {
      const next = new URLSearchParams(before);
      if (id) next.set(key, id);
      else next.delete(key);
      return next;
    });
  }

  return (
    <>
      <PageHead title={text.access.title} lead={text.access.lead} />
      <div className="sheet question">
        <ObjectSelect
          kind="actors"
          label={text.access.who}
          value={actorId}
          onChange={(id) => {
            choose("actor", id);
          }}
        />
        <ObjectSelect
          kind="resources"
          label={text.access.what}
          value={resourceId}
          onChange={(id) => {
            choose("resource", id);
          }}
        />
      </div>
      <ProblemAlert problem={access.error} />
      {access.data && actor.data && resource.data ? (
        <Verdict
          access={access.data}
          actor={actor.data.object}
          resource={resource.data.object}
          flows={flows.data?.data ?? []}
        />
      ) : (
        !access.isFetching && <EmptyState icon="access" title={text.access.emptyTitle} words={text.access.emptyText} />
      )}
    </>
  );
}
