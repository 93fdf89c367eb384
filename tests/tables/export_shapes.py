"""The columns of public data sets and of exports of shops, apps and surveys, with invented values.

A shape is a line: its name, then each column with the kind of its values. A mark before a column says what
to expect: `*` holds the texts and is found by its name, `~` by its values; `?` may hold them.
"""

import re
from collections.abc import Iterator

GOOD = [
    "Works as it should, and the battery lasts for days.",
    "Broke after a week; the shop did not answer my letters.",
    "Lovely colours, but far too small for a grown woman I'm afraid.",
    "ok",
    "I would buy this again. My sister and both of her neighbours did the same within a month of seeing it.",
]
SHORT = ["Nice one", "Never again", "Too small", "Fine", "A good buy"]
OTHER = [
    "The handle could be longer, and the lid does not close.",
    "Nothing, really.",
    "Answer the phone, and train the new staff at the front desk.",
    "More colours",
    "I would like to see the price on the first page and not at the very end.",
]
GERMAN = [
    "Funktioniert wie beschrieben, der Akku hält tagelang durch.",
    "Nach einer Woche kaputt; der Händler antwortet nicht auf Briefe.",
    "Schöne Farben, aber leider viel zu klein für eine erwachsene Frau.",
    "gut",
    "Würde ich wieder kaufen, meine Schwester und ihre Nachbarn haben es auch schon getan.",
]
SPANISH = [
    "Funciona como debe y la batería dura varios días.",
    "Se rompió a la semana; la tienda no contestó mis cartas.",
    "Bonitos colores, pero demasiado pequeño para una mujer adulta.",
    "bien",
    "Lo volvería a comprar, y mi hermana y sus vecinos también lo hicieron.",
]
FRENCH = [
    "Marche comme il faut, et la pile tient plusieurs jours.",
    "Cassé au bout d'une semaine, et le magasin ne répond pas.",
    "Belles couleurs, mais bien trop petit pour une femme adulte.",
    "bon",
    "Je le rachèterais, et ma sœur et ses voisins l'ont déjà fait le mois dernier.",
]
NO_NEGATIVE = [
    "No Negative",
    "Thin walls, and no lift at all",
    "No Negative",
    "Breakfast ended at nine",
    "No Negative",
]
NO_POSITIVE = [
    "Close to the station and very quiet",
    "No Positive",
    "The staff were kind to our dog",
    "Nice view",
    "No Positive",
]
PREVIEWS = [
    "Works as it should, and the battery las...More",
    "Broke after a week; the shop did not answer...More",
    "Lovely colours, but far too small for...More",
    "ok",
    "I would buy this again. My sister and both...More",
]
REPLIES = [
    "Dear Ada, thank you for your kind words. We hope to see you again soon!",
    "",
    "Hello, we are sorry to hear that. Please write to help@example.org with your order.",
    "",
    "",
]
ABOUT = [
    *2 * ["This kettle of brushed steel boils two litres in four minutes, and comes with a spare filter."],
    *3 * ["A lamp for the desk with a long arm and a switch on the cord, in black, white and red."],
]
THINGS = [
    *2 * ["Acme Steel Kettle 2 Litres"],
    *3 * ["Desk Lamp"],
]
NAMES = ["Ada L.", "Bob", "Cy Young", "Dee", "Eve Moneypenny"]
TOWNS = ["Leeds", "Milton Keynes", "Leeds", "York", "Ely"]
PLACES = [
    *3 * ["12 Example Street Amsterdam 1091 AB Netherlands"],
    *2 * ["3 Sample Road London Greater London W2 5LR United Kingdom"],
]
JOBS = [
    "Senior Software Engineer",
    "Sales Associate",
    "Sales Associate",
    "Former Employee - Clerk",
    "Manager",
]
IDS = ["R1X8", "R2Q7", "R3Z6", "R4B5", "R5M4"]
NUMBERS = ["5", "1", "3", "4", "2"]
FLAGS = ["True", "False", "True", "True", "False"]
LABELS = ["positive", "negative", "neutral", "positive", "positive"]
DATES = ["2021-03-04", "4 May 2020", "2019-12-31 23:59:00", "01/02/2018", "2017-06-05"]
LINKS = ["https://example.org/a/b", "https://example.org/c?d=e", "", "https://example.org/f", ""]
MAILS = ["ada@example.org", "bob@example.org", "", "dee@example.org", ""]
JSON = ['{"verified": true, "helpful votes of all": 3}', "{}", "[]", '["a", "b"]', "{}"]
TAGS = [
    "[' Leisure trip ', ' Couple ', ' Double Room ', ' Stayed 3 nights ']",
    "[' Business trip ', ' Solo traveler ', ' Stayed 1 night ']",
    "[' Leisure trip ', ' Couple ', ' Double Room ', ' Stayed 3 nights ']",
    "[' Business trip ', ' Solo traveler ', ' Stayed 1 night ']",
    "[' Leisure trip ']",
]
AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15",
    "WooCommerce",
    "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
    "",
]
EFFECTS = [
    *3 * ["Drowsiness, tiredness and headache may occur. If any of these last, tell your doctor."],
    *2 * ["Nausea, vomiting and an upset stomach may occur."],
]
EMPTY = 5 * [""]

SHAPES = r"""
Airbnb | listing_id=NUMBERS | id=NUMBERS | date=DATES | reviewer_id=NUMBERS | reviewer_name=NAMES |
    *comments=GOOD
Airline tweets | tweet_id=NUMBERS | airline_sentiment=LABELS | airline_sentiment_confidence=NUMBERS |
    negativereason=SHORT | airline=TOWNS | name=NAMES | negativereason_gold=EMPTY | retweet_count=NUMBERS |
    *text=GOOD | tweet_coord=EMPTY | tweet_created=DATES | tweet_location=TOWNS | user_timezone=TOWNS
Amazon 2018 | overall=NUMBERS | reviewerID=IDS | *reviewText=GOOD | summary=SHORT
Amazon 2023 | rating=NUMBERS | title=SHORT | *text=GOOD | images=JSON | asin=IDS | parent_asin=IDS |
    user_id=IDS | timestamp=NUMBERS | helpful_vote=NUMBERS | verified_purchase=FLAGS
Amazon Alexa | rating=NUMBERS | date=DATES | variation=THINGS | *verified_reviews=GOOD
Amazon own scrape | productAsin=IDS | reviewTitle=SHORT | *reviewDescription=GOOD | ratingScore=NUMBERS |
    reviewUrl=LINKS | country=TOWNS | variant=THINGS
Amazon Sales | product_id=IDS | product_name=THINGS | category=THINGS | discounted_price=NUMBERS |
    rating=NUMBERS | about_product=ABOUT | user_id=IDS | user_name=NAMES | review_id=IDS |
    review_title=SHORT | *review_content=GOOD | img_link=LINKS | product_link=LINKS
Amazon TSV | review_id=IDS | product_title=THINGS | review_headline=SHORT | *review_body=GOOD
app-store-scraper | date=DATES | *review=GOOD | rating=NUMBERS | isEdited=FLAGS | title=SHORT |
    userName=NAMES | developerResponse=JSON
AppFollow | App Id=IDS | Store=TOWNS | Date=DATES | Author=NAMES | Rating=NUMBERS | Title=SHORT |
    *Content=GOOD | Reply text=REPLIES | Permalink=LINKS
Booking 515k | Hotel_Address=PLACES | Additional_Number_of_Scoring=NUMBERS | Review_Date=DATES |
    Average_Score=NUMBERS | Hotel_Name=THINGS | Reviewer_Nationality=TOWNS | *Negative_Review=NO_NEGATIVE |
    Review_Total_Negative_Word_Counts=NUMBERS | Total_Number_of_Reviews=NUMBERS |
    *Positive_Review=NO_POSITIVE | Reviewer_Score=NUMBERS | Tags=TAGS | days_since_review=DATES |
    lat=NUMBERS
Booking scrape | hotelName=THINGS | reviewDate=DATES | rating=NUMBERS | reviewTitle=SHORT | *likedText=GOOD
    | *dislikedText=OTHER | roomInfo=THINGS | userLocation=TOWNS
British Airways | OverallRating=NUMBERS | ReviewHeader=SHORT | Name=NAMES | Datetime=DATES |
    VerifiedReview=FLAGS | *ReviewBody=GOOD | TypeOfTraveller=JOBS
Capterra | Title=SHORT | Overall=GOOD | *Pros=GOOD | *Cons=OTHER | Reviewer=NAMES
Corona tweets | UserName=NUMBERS | ScreenName=NUMBERS | Location=TOWNS | TweetAt=DATES | *OriginalTweet=GOOD
    | Sentiment=LABELS
Datafiniti | name=THINGS | reviews.date=DATES | *reviews.text=GOOD | reviews.title=SHORT
Druglib | urlDrugName=NAMES | rating=NUMBERS | effectiveness=SHORT | sideEffects=SHORT | condition=TOWNS |
    ?benefitsReview=GOOD | ?sideEffectsReview=OTHER | ?commentsReview=GOOD
Facebook export | post_id=IDS | from_name=NAMES | *message=GOOD | created_time=DATES |
    link_description=ABOUT
French | id=NUMBERS | titre=SHORT | ~avis=FRENCH | note=NUMBERS
G2 | title=SHORT | ?What do you like best about it?=GOOD | ?What do you dislike about it?=OTHER |
    rating=NUMBERS
German shop | Bewertungsnr=NUMBERS | Datum=DATES | Sterne=NUMBERS | Titel=SHORT | ~Bewertungstext=GERMAN |
    Autor=NAMES | Produkt=THINGS
German, with links | Nr=NUMBERS | Datum=DATES | Produkt=THINGS | ~Kommentar=GERMAN | Link=LINKS
Glassdoor 2021 | firm=THINGS | date_review=DATES | job_title=JOBS | current=JOBS | location=TOWNS |
    overall_rating=NUMBERS | work_life_balance=NUMBERS | recommend=FLAGS | headline=SHORT | *pros=GOOD |
    *cons=OTHER
Glassdoor FAANG | =NUMBERS | company=THINGS | location=TOWNS | dates=DATES | job-title=JOBS | summary=SHORT
    | *pros=GOOD | *cons=OTHER | advice-to-mgmt=OTHER | overall-ratings=NUMBERS | link=LINKS
Goodreads export | Book Id=NUMBERS | Title=THINGS | Author=NAMES | Author l-f=NAMES | Additional
    Authors=NAMES | ISBN=IDS | My Rating=NUMBERS | Average Rating=NUMBERS | Publisher=NAMES | Binding=TOWNS
    | Date Read=DATES | Bookshelves=TOWNS | ~My Review=GOOD | Spoiler=EMPTY | Private Notes=EMPTY
Google Forms one | Timestamp=DATES | Email Address=MAILS | How satisfied are you?=NUMBERS | ~Any other
    comments?=GOOD
Google Forms two | Timestamp=DATES | How satisfied are you?=NUMBERS | ?What did you like?=GOOD | ?What can
    we improve?=OTHER
Google Forms, two lines | Timestamp=DATES | Your branch=THINGS | ~What did you like?\nPlease be
    specific.=GOOD
google-play-scraper | reviewId=IDS | userName=NAMES | userImage=LINKS | *content=GOOD | score=NUMBERS |
    thumbsUpCount=NUMBERS | reviewCreatedVersion=NUMBERS | at=DATES | replyContent=REPLIES | repliedAt=DATES
    | appVersion=NUMBERS
IMDb scrape | review_id=IDS | reviewer=NAMES | movie=THINGS | rating=NUMBERS | review_summary=SHORT |
    review_date=DATES | spoiler_tag=NUMBERS | *review_detail=GOOD | helpful=JSON
Indeed | title=SHORT | rating=NUMBERS | author=JOBS | date=DATES | *reviewText=GOOD | pros=SHORT |
    cons=SHORT
Jotform | Submission Date=DATES | Full Name=NAMES | E-mail=MAILS | Rating=NUMBERS | ~Your feedback=GOOD |
    Submission IP=NUMBERS
Judge.me | title=SHORT | *body=GOOD | rating=NUMBERS | review_date=DATES | source=TOWNS | curated=TOWNS |
    reviewer_name=NAMES | reviewer_email=MAILS | product_id=NUMBERS | product_handle=IDS | reply=REPLIES |
    picture_urls=LINKS | ip_address=NUMBERS | location=TOWNS
Letterboxd | Date=DATES | Name=THINGS | Year=NUMBERS | Letterboxd URI=LINKS | Rating=NUMBERS | Rewatch=EMPTY
    | *Review=GOOD | Tags=EMPTY | Watched Date=DATES
NPS | Score=NUMBERS | *Verbatim=GOOD | Segment=NAMES
Olist | review_id=IDS | order_id=IDS | review_score=NUMBERS | review_comment_title=EMPTY |
    *review_comment_message=SPANISH | review_creation_date=DATES
Outscraper Maps | query=LINKS | name=THINGS | place_id=IDS | reviews=NUMBERS | rating=NUMBERS |
    author_title=NAMES | *review_text=GOOD | owner_answer=REPLIES | review_link=LINKS |
    review_rating=NUMBERS
Play user reviews | App=THINGS | ~Translated_Review=GOOD | Sentiment=LABELS | Sentiment_Polarity=NUMBERS
Qualtrics | StartDate=DATES | Status=NUMBERS | IPAddress=NUMBERS | Finished=FLAGS | ResponseId=IDS |
    Q1=NUMBERS | ~Q2_TEXT=GOOD
Reddit submissions | id=IDS | author=NAMES | subreddit=TOWNS | title=OTHER | *selftext=GOOD | url=LINKS |
    score=NUMBERS | permalink=LINKS
Reddit wsb | title=OTHER | score=NUMBERS | id=IDS | url=LINKS | comms_num=NUMBERS | created=NUMBERS |
    *body=GOOD | timestamp=DATES
Reddit_Data (India) | *clean_comment=GOOD | category=NUMBERS
Rotten critics | rotten_tomatoes_link=IDS | critic_name=NAMES | top_critic=FLAGS | publisher_name=TOWNS |
    review_type=LABELS | review_score=NUMBERS | review_date=DATES | *review_content=GOOD
Rotten phrases | PhraseId=NUMBERS | SentenceId=NUMBERS | *Phrase=GOOD | Sentiment=NUMBERS
Sephora | =NUMBERS | author_id=IDS | rating=NUMBERS | is_recommended=NUMBERS | helpfulness=NUMBERS |
    submission_time=DATES | *review_text=GOOD | review_title=SHORT | skin_tone=TOWNS | product_name=THINGS |
    brand_name=TOWNS
Shopify Reviews | product_handle=IDS | state=TOWNS | rating=NUMBERS | title=SHORT | author=NAMES |
    email=MAILS | location=TOWNS | *body=GOOD | reply=REPLIES | created_at=DATES | replied_at=DATES
Spanish | id=NUMBERS | fecha=DATES | producto=THINGS | puntuación=NUMBERS | ~comentario=SPANISH |
    ciudad=TOWNS
Steam 6M | app_id=NUMBERS | app_name=THINGS | *review_text=GOOD | review_score=NUMBERS |
    review_votes=NUMBERS
SurveyMonkey | Respondent ID=NUMBERS | IP Address=IDS | ~How can we improve?=GOOD | Custom Data=JSON
TripAdvisor restaurants | parse_count=NUMBERS | restaurant_name=THINGS | rating_review=NUMBERS |
    sample=LABELS | review_id=IDS | title_review=SHORT | review_preview=PREVIEWS | *review_full=GOOD |
    date=DATES | city=TOWNS | url_restaurant=LINKS
TripAdvisor scrape | id=NUMBERS | hotelName=THINGS | title=SHORT | rating=NUMBERS | *text=GOOD |
    publishedDate=DATES | userLocation=TOWNS | ownerResponse=REPLIES
Trustpilot business | Review Id=IDS | Review Created (UTC)=DATES | Review Consumer User Name=NAMES | Review
    Title=SHORT | *Review Content=GOOD | Review Stars=NUMBERS | Company Reply=REPLIES | Tags=EMPTY
Twitter, extended | id=NUMBERS | text=SHORT | *full_text=GOOD | lang=TOWNS
Typeform | #=IDS | What's your name?=NAMES | How likely are you to recommend us?=NUMBERS | ~What could we do
    better?=GOOD | Start Date (UTC)=DATES | Submit Date (UTC)=DATES | Network ID=IDS
WebMD | Age=NUMBERS | Condition=TOWNS | Date=DATES | Drug=NAMES | DrugId=NUMBERS | *Reviews=GOOD |
    Satisfaction=NUMBERS | Sex=TOWNS | Sides=EFFECTS | UsefulCount=NUMBERS
Wine | =NUMBERS | country=TOWNS | ~description=GOOD | designation=THINGS | points=NUMBERS | province=TOWNS |
    taster_name=NAMES | title=THINGS | variety=TOWNS | winery=TOWNS
Women's clothing | =NUMBERS | Clothing ID=NUMBERS | Age=NUMBERS | Title=SHORT | *Review Text=GOOD |
    Rating=NUMBERS | Recommended IND=NUMBERS | Division Name=TOWNS | Class Name=TOWNS
WooCommerce comments | comment_ID=NUMBERS | comment_post_ID=NUMBERS | comment_author=NAMES |
    comment_author_email=MAILS | comment_author_url=LINKS | comment_date=DATES | *comment_content=GOOD |
    comment_approved=NUMBERS | comment_agent=AGENTS | comment_type=TOWNS | rating=NUMBERS |
    post_title=THINGS
WooCommerce REST | id=NUMBERS | date_created=DATES | product_id=NUMBERS | product_name=THINGS | status=TOWNS
    | reviewer=NAMES | reviewer_email=MAILS | *review=GOOD | rating=NUMBERS | verified=FLAGS
Yelp | review_id=IDS | stars=NUMBERS | *text=GOOD | date=DATES
Yotpo | Review ID=IDS | Appkey=IDS | Published=FLAGS | Review Title=SHORT | *Review Content=GOOD | Review
    Score=NUMBERS | Reviewer Display Name=NAMES | Product Title=THINGS | Product Description=ABOUT | Comment
    Content=REPLIES
YouTube Kaggle | video_id=IDS | title=THINGS | channel_title=NAMES | *comment_text=GOOD | likes=NUMBERS |
    replies=NUMBERS
YouTube scraper | cid=IDS | *comment=GOOD | author=NAMES | videoId=IDS | pageUrl=LINKS | title=ABOUT |
    voteCount=NUMBERS | replyToCid=EMPTY
yt-dlp comments | id=IDS | *text=GOOD | like_count=NUMBERS | author=NAMES | author_id=IDS |
    author_thumbnail=LINKS | parent=TOWNS
Zendesk CSAT | Ticket ID=NUMBERS | Satisfaction score=LABELS | ~Satisfaction comment=GOOD | Requester=NAMES
    | Ticket subject=SHORT
"""


def shapes() -> Iterator[tuple[str, dict[str, list[str]], dict[str, str]]]:
    """Yield the name of each shape, its columns, and the marks of those that have one."""
    for line in re.sub(r"\n +", " ", SHAPES).strip().splitlines():
        name, *parts = line.split(" | ")
        found = [
            re.fullmatch(r"([*~?]?)(.*)=(\w+)", part.replace(r"\n", "\n"), re.DOTALL).groups()
            for part in parts
        ]
        columns = {column: globals()[kind] for _, column, kind in found}
        yield name, columns, {column: mark for mark, column, _ in found if mark}
