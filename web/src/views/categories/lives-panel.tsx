/** Exemplars with remarkable lives: learnt first, learnt late, forgotten most, never kept. */
import { exemplarPicture } from "../../data/pictures";
import { useApp } from "../../shell/app";
import { Thumb } from "../../shell/thumb";
import { livesOf, remarkable, type Life } from "../../data/lives";

const EACH = 12;

export function Lives() {
  const { store } = useApp();
  const bundle = store.bundle.value;
  const lives = livesOf(bundle);
  const found = remarkable(lives, store.still.value.token, EACH);
  const never = lives.filter(({ keptBy }) => !Number.isFinite(keptBy)).length;
  return (
    <div class="lives" tabIndex={0} role="region" aria-label="Lives of exemplars">
      <Row
        title="First classified correctly until the end"
        lives={found.early}
        say={(one) => `${one.keptBy}`}
      />
      <Row title="… and last" lives={found.late} say={(one) => `${one.keptBy}`} />
      <Row
        title="Forgotten most often"
        lives={found.forgotten}
        say={(one) => `${one.forgotten} times`}
      />
      <Row
        title={`Not kept by the end (${never} of ${lives.length})`}
        lives={found.never}
        say={() => ""}
      />
    </div>
  );
}

function Row({ title, lives, say }: { title: string; lives: Life[]; say(life: Life): string }) {
  const { store } = useApp();
  const bundle = store.bundle.value;
  if (lives.length === 0) return null;
  return (
    <section>
      <h3>{title}</h3>
      <ul>
        {lives.map((life) => (
          <li key={life.exemplar}>
            <Thumb
              picture={exemplarPicture(bundle, life.exemplar)}
              side={44}
              label={`Exemplar ${bundle.array("exemplar_id")?.at(life.exemplar) ?? life.exemplar}, ${bundle.manifest.tokens[life.token] ?? ""}`}
              click={() => store.set({ exemplar: life.exemplar })}
            />
            <small class="quiet">{say(life)}</small>
          </li>
        ))}
      </ul>
    </section>
  );
}
